//! The scripts of `install/`: thin calls of the binary, with the options of the README; and `install.sh`, with a cargo that
//! only pretends to build.

use super::Host;
use crate::support::daemon::{AGENT, TOKEN, binary};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn script(host: &Host, name: &str, args: &[&str]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("install").join(name);
    let like = host.machine.command(&[]);
    let mut command = Command::new("/bin/sh");
    command
        .arg(path)
        .args(args)
        .env_clear()
        .current_dir(like.get_current_dir().unwrap())
        .stdin(Stdio::null());
    command
        .envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("WTT_CONNECT_BIN", binary());
    command.output().unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32, text: &str) {
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(code) && said.contains(text), "{:?}: {said}", output.status);
    assert!(!said.contains("CANARY"), "{said}");
}

#[test]
fn an_agent_is_bound_and_unbound() {
    let host = Host::new();
    let base = host.wtt.service.base_url();
    let bound = script(&host, "install-agent.sh", &["codex", AGENT, TOKEN, "--base-url", &base]);
    expect(&bound, 0, "wtt-connect@agent-001-codex.service enabled and started");
    let gone = script(&host, "uninstall-systemd-user.sh", &["--name", "agent-001-codex", "--purge"]);
    expect(&gone, 0, "wtt-connect@agent-001-codex.service was stopped");
    assert!(!host.profile().exists());
}

#[test]
fn named_options_become_those_of_up() {
    let host = Host::new();
    let base = host.wtt.service.base_url();
    let named = ["--name", "alice-codex", "--agent-id", AGENT, "--token", TOKEN, "--adapter", "codex"];
    let more = [
        "--mode",
        "full-auto",
        "--publish-progress",
        "--enable-linger",
        "--base-url",
        &base,
        "--workdir",
        "a b",
    ];
    let bound = script(&host, "install-systemd-user.sh", &[&named[..], &more[..]].concat());
    expect(&bound, 0, "wtt-connect@alice-codex.service enabled and started");
    assert!(host.calls().contains(&"loginctl enable-linger".to_owned()));
    let profile = host.machine.path("home/.config/wtt-connect/profiles/alice-codex.env");
    let text = std::fs::read_to_string(profile).unwrap();
    assert!(
        text.contains(&format!("WTT_TOKEN='{TOKEN}'")) && text.contains("WTT_CONNECT_PUBLISH_PROGRESS='1'"),
        "{text}"
    );
    assert!(host.machine.path("cwd/a b").is_dir());
}

#[test]
fn an_env_file_has_all_that_is_needed() {
    let host = Host::new();
    let base = host.wtt.service.base_url();
    let text = format!(
        "WTT_BASE_URL={base}\nWTT_AGENT_ID={AGENT}\nWTT_TOKEN='{TOKEN}'\nWTT_CONNECT_ADAPTER=codex\n"
    );
    host.machine.file("cwd/.env", &text);
    let bound = script(&host, "install-systemd-user.sh", &["--name", "codex"]);
    expect(&bound, 0, "wtt-connect@codex.service enabled and started");
}

#[test]
fn mistakes_are_said() {
    let host = Host::new();
    expect(
        &script(&host, "install-agent.sh", &["codex", AGENT]),
        2,
        "ADAPTER, AGENT_ID and TOKEN are needed",
    );
    expect(&script(&host, "install-systemd-user.sh", &["--name"]), 2, "--name needs a value");
    expect(&script(&host, "install-systemd-user.sh", &["--agent-id", "a"]), 2, "--adapter is missing");
    expect(&script(&host, "uninstall-systemd-user.sh", &[]), 2, "the profile is missing");
    expect(&script(&host, "start.sh", &["--profile", "none"]), 78, "profile none does not exist");
    if cfg!(target_os = "linux") {
        expect(&script(&host, "install-launchd.sh", &["--name", "x"]), 69, "use install-systemd-user.sh");
        expect(&script(&host, "uninstall-launchd.sh", &["--name", "x"]), 69, "use uninstall-systemd-user.sh");
    }
    for name in
        ["start.sh", "install-agent.sh", "install-systemd-user.sh", "uninstall-systemd-user.sh", "install.sh"]
    {
        expect(&script(&host, name, &["--help"]), 0, name);
    }
}

#[test]
fn install_puts_all_below_a_prefix() {
    let host = Host::new();
    let bin = host.machine.path("bin");
    let cargo = "#!/bin/sh\necho \"$*\" >>\"$STUB/built\"\nmkdir -p \"$CARGO_TARGET_DIR/release\"\n\
                 cp \"$STUB/wtt-connect\" \"$CARGO_TARGET_DIR/release/wtt-connect\"\n";
    super::make_program(&host.machine.file("bin/cargo", cargo));
    let install = |args: &[&str]| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/install.sh");
        let mut command = Command::new("/bin/sh");
        command.arg(script).args(args).env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        command.env("STUB", &bin).env("CARGO_TARGET_DIR", host.machine.path("target"));
        command.env("DESTDIR", host.machine.path("root")).output().unwrap()
    };
    for next in ["wtt-connect try, or ", "wtt-connect restart, "] {
        let installed = install(&["--prefix", "/opt/wtt"]);
        expect(&installed, 0, "/opt/wtt/bin/wtt-connect\n");
        expect(&installed, 0, "export PATH=\"/opt/wtt/bin:$PATH\"\n");
        expect(&installed, 0, &format!("Next: {next}"));
    }
    let root = host.machine.path("root/opt/wtt");
    for file in [
        "share/man/man1/wtt-connect.1",
        "share/man/man5/wtt-connect.5",
        "share/man/man7/wtt-connect-protocol.7",
        "share/bash-completion/completions/wtt-connect",
        "share/zsh/site-functions/_wtt-connect",
        "share/fish/vendor_completions.d/wtt-connect.fish",
    ] {
        assert_eq!(super::mode(&root.join(file)), 0o644, "{file}");
    }
    let version = Command::new(root.join("bin/wtt-connect")).arg("--version").output().unwrap();
    assert!(version.status.success());
    let built = std::fs::read_to_string(bin.join("built")).unwrap();
    assert!(built.starts_with("build --locked --release"), "{built}");
    expect(&install(&["--frob"]), 2, "unknown option --frob");
    expect(&install(&["--prefix"]), 2, "--prefix needs a directory");
}
