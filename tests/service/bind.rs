//! `up` when all is well: what it writes, what it calls, what it says; and `workdir` and `down` afterwards.

use super::{Host, PROFILE, make_program, mode};
use crate::cli::Machine;
use crate::support::daemon::{AGENT, TOKEN, until};

#[test]
fn one_command_and_it_is_connected() {
    let host = Host::new();
    let run = host.up(&[]).code(0).hides(TOKEN);
    let run =
        run.says("ok       codex: codex-cli 0.118.0").says("logged in (API key)").says("token: accepted");
    let run = run
        .says("wtt-connect@agent-001-codex.service enabled and started")
        .says("connected to http://127.0.0.1:");
    run.says("Write to agent-001 on WTT's web page, and it will answer.")
        .says("wtt-connect status agent-001-codex ");
    host.wtt.connected();
    assert_eq!(
        host.calls(),
        [
            "systemctl daemon-reload",
            "systemctl enable wtt-connect@agent-001-codex.service",
            "systemctl start wtt-connect@agent-001-codex.service"
        ]
    );
    let unit = std::fs::read_to_string(host.unit()).unwrap();
    let exe = host.machine.path("bin/wtt-connect");
    assert!(
        unit.contains(&format!("ExecStart={} start --profile %i\n", exe.display())),
        "the link on PATH: {unit}"
    );
    assert!(!unit.contains("CANARY"), "{unit}");
    for (path, expected) in [(host.profile(), 0o600), (host.unit(), 0o600), (host.state_dir(), 0o700)] {
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    assert!(host.machine.path("home/.wtt-connect/agent-001").is_dir());
    let names: Vec<String> =
        host.profile_text().lines().skip(1).map(|l| l.split('=').next().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            "WTT_BASE_URL",
            "WTT_AGENT_ID",
            "WTT_TOKEN",
            "WTT_CONNECT_ADAPTER",
            "WTT_CONNECT_WORKDIR",
            "WTT_CONNECT_MODE",
            "WTT_CONNECT_STATE_DIR"
        ]
    );
}

#[test]
fn a_new_token_changes_the_profile_and_restarts_once() {
    let host = Host::new();
    host.up(&["--model", "m1"]).code(0);
    host.calls();
    // by hand, in between
    let mine = host.profile_text() + "# mine\nWTT_CONNECT_AGENT_ALIASES=al\nOPENAI_API_KEY=k\n";
    host.machine.profile(PROFILE, &mine);
    host.wtt.service.add_agent(AGENT, "CANARY-new", "Alice");
    host.up_with("CANARY-new", &["--publish-progress"]).code(0).says("restarted").says("connected to");
    assert_eq!(
        host.calls(),
        [
            "systemctl enable wtt-connect@agent-001-codex.service",
            "systemctl restart wtt-connect@agent-001-codex.service"
        ]
    );
    let text = host.profile_text();
    assert!(text.contains("WTT_TOKEN='CANARY-new'\n") && !text.contains(TOKEN), "{text}");
    for kept in [
        "WTT_CONNECT_MODEL='m1'",
        "# mine",
        "WTT_CONNECT_AGENT_ALIASES=al",
        "WTT_CONNECT_PUBLISH_PROGRESS='1'",
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    // nothing new: nothing is cut off, and the token need not be said again
    let run = host.machine.run(&["up", "codex", AGENT]).code(0).says("unchanged").says("is already running");
    run.says("connected to");
    assert_eq!(host.calls().last().unwrap(), "systemctl start wtt-connect@agent-001-codex.service");
    assert_eq!(host.profile_text(), text);
}

#[test]
fn the_profile_is_private_under_any_umask() {
    let host = Host::new();
    let base = host.wtt.service.base_url();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "umask 000; exec \"$@\"", "sh"]);
    let up = host.machine.command(&["up", "codex", AGENT, TOKEN, "--base-url", &base, "--no-start"]);
    command.arg(up.get_program()).args(up.get_args()).current_dir(up.get_current_dir().unwrap()).env_clear();
    command.envs(up.get_envs().filter_map(|(k, v)| Some((k, v?))));
    assert!(command.output().unwrap().status.success());
    assert_eq!(mode(&host.profile()), 0o600);
    assert_eq!(mode(host.profile().parent().unwrap()), 0o700);
}

#[test]
fn no_start_writes_the_profile_and_touches_no_service() {
    let host = Host::new();
    let run = host
        .up(&["--no-start", "--mode", "yolo", "--allow-yolo", "--enable-shell", "--workdir", "w"])
        .code(0);
    run.says("wtt-connect start --profile agent-001-codex")
        .says("note     the owner of this agent can open terminals on this machine");
    assert!(host.calls().is_empty() && !host.unit().exists());
    let text = host.profile_text();
    let workdir = host.machine.path("cwd/w");
    assert!(text.contains(&format!("WTT_CONNECT_WORKDIR='{}'", workdir.display())), "{text}");
    assert!(text.contains("WTT_CONNECT_MODE='yolo'\nWTT_CONNECT_ALLOW_YOLO='1'"), "{text}");
    assert!(text.contains("WTT_CONNECT_ENABLE_SHELL='1'"), "{text}");
}

#[test]
fn a_rehearsal_changes_nothing() {
    let host = Host::new();
    let run = host.up(&["--dry-run", "--enable-linger"]).code(0).hides(TOKEN);
    let run = run
        .says("WTT_TOKEN='***'")
        .says("Would run systemctl --user enable wtt-connect@agent-001-codex.service");
    run.says("Would run loginctl enable-linger").says("Nothing was changed.");
    assert!(!host.profile().exists() && !host.unit().exists() && host.calls().is_empty());
    assert!(!host.machine.path("home/.local").exists() && !host.machine.path("home/.wtt-connect").exists());
    // nor are the secrets of agents and proxies shown that somebody has put into the profile
    let secrets = "# WTT_TOKEN=CANARY\nOPENAI_API_KEY=CANARY\nHTTPS_PROXY=http://u:CANARY@127.0.0.1:9\n";
    host.machine.profile(PROFILE, &format!("{secrets}WTT_TOKEN=CAN\nWTT_CONNECT_MODE=suggest\n"));
    let again = host.machine.run(&["up", "codex", AGENT, "--dry-run"]).code(0).hides("CAN");
    again.says("OPENAI_API_KEY='***'").says("WTT_CONNECT_MODE='suggest'");
    host.fail("show-environment", "Failed to connect to bus: No medium found\n");
    host.up(&["--dry-run"]).code(69).says("Would not start a service: ").says("Nothing was changed.");
}

#[test]
fn the_token_comes_from_stdin_a_file_or_the_environment() {
    use std::io::Write;
    let host = Host::with(Machine::new().env("WTT_TOKEN", TOKEN).env("WTT_AGENT_ID", AGENT));
    let base = host.wtt.service.base_url();
    let words = ["--base-url", &base, "--no-start"];
    let up = |first: &[&str]| host.machine.command(&[first, &words].concat());
    let file = host.machine.file("token", &format!("{TOKEN}\n"));
    let check = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(host.profile_text().contains(&format!("WTT_TOKEN='{TOKEN}'")));
        std::fs::remove_file(host.profile()).unwrap();
    };
    check(up(&["up", "codex", AGENT]).output().unwrap());
    check(
        up(&["up", "codex", AGENT, "--token-file", file.to_str().unwrap()])
            .env_remove("WTT_TOKEN")
            .output()
            .unwrap(),
    );
    let mut child = up(&["up", "codex", AGENT, "-"])
        .env_remove("WTT_TOKEN")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{TOKEN}\r\n").as_bytes()).unwrap();
    check(child.wait_with_output().unwrap());
}

#[test]
fn what_another_agent_left_in_the_environment_does_not_count() {
    let machine = Machine::new()
        .env("WTT_AGENT_ID", "agent-of-the-host")
        .env("WTT_TOKEN", "tok-of-the-host")
        .env("WTT_BASE_URL", "http://127.0.0.1:9")
        .env("WTT_CONNECT_WORKDIR", "/of-the-host")
        .env("WTT_CONNECT_STATE_DIR", "/of-the-host")
        .env("WTT_CONNECT_MODE", "suggest");
    let host = Host::with(machine);
    host.machine.run(&["up", "codex", AGENT]).code(2).says("WTT_TOKEN is set, but for another agent");
    host.up(&["--no-start"]).code(0);
    let text = host.profile_text();
    assert!(!text.contains("of-the-host") && text.contains("WTT_CONNECT_MODE='full-auto'"), "{text}");
}

#[test]
fn an_env_file_makes_a_profile() {
    let host = Host::new();
    let text = format!(
        "WTT_BASE_URL={}\nWTT_AGENT_ID={AGENT}\nWTT_AGENT_TOKEN={TOKEN}\nWTT_CONNECT_ADAPTER=codex\n\
         WTT_CONNECT_STATE_DIR=.wtt-connect-codex\nOPENAI_API_KEY=it's\n",
        host.wtt.service.base_url()
    );
    host.machine.file("cwd/.env.codex", &text);
    host.machine.run(&["up", "--env-file", ".env.codex", "--profile", "alice", "--no-start"]).code(0);
    let profile =
        std::fs::read_to_string(host.machine.path("home/.config/wtt-connect/profiles/alice.env")).unwrap();
    let state = host.machine.path("cwd/.wtt-connect-codex");
    assert!(profile.contains(&format!("WTT_CONNECT_STATE_DIR='{}'", state.display())), "{profile}");
    assert!(profile.contains("OPENAI_API_KEY=\"it's\"") && profile.contains("WTT_TOKEN='"), "{profile}");
    host.machine.run(&["doctor", "--profile", "alice", "--offline"]).code(0);
}

#[test]
fn two_identities_live_side_by_side() {
    let host = Host::new();
    host.wtt.service.add_agent("agent-002", "CANARY-2", "Bob");
    host.up(&[]).code(0);
    host.calls();
    let base = host.wtt.service.base_url();
    host.machine
        .run(&["up", "codex", "agent-002", "CANARY-2", "--base-url", &base])
        .code(0)
        .says("connected to");
    assert!(host.calls().iter().all(|call| !call.contains("agent-001") && !call.contains("reload")));
    // and the first one was left alone
    host.machine.run(&["up", "codex", AGENT]).code(0).says("is already running");
}

#[test]
fn down_stops_and_up_brings_it_back() {
    let host = Host::new();
    host.up(&[]).code(0);
    host.calls();
    host.machine.run(&["down", AGENT]).code(0).says("was stopped and will not start again").says("were kept");
    let unit = "wtt-connect@agent-001-codex.service";
    assert_eq!(
        host.calls(),
        ["stop", "disable", "reset-failed"].map(|verb| format!("systemctl {verb} {unit}"))
    );
    assert!(host.profile().exists() && host.state_dir().join("state.json").exists());
    host.machine.run(&["up", "codex", AGENT]).code(0).says("enabled and started").says("connected to");
    std::fs::write(host.machine.path("home/.wtt-connect/agent-001/work.txt"), "mine").unwrap();
    host.machine
        .run(&["down", PROFILE, "--purge"])
        .code(0)
        .says("The agent's working directory was not touched");
    assert!(!host.profile().exists() && !host.state_dir().exists() && !host.unit().exists());
    assert!(host.machine.path("home/.wtt-connect/agent-001/work.txt").exists());
    host.machine.run(&["down", PROFILE]).code(78).says("there is no profile agent-001-codex");
}

#[test]
fn down_ends_what_was_started_by_hand() {
    let host = Host::new();
    host.up(&["--no-start"]).code(0);
    host.machine.run(&["logs", PROFILE]).code(69).one_line().says("agent-001-codex has never been started");
    let mut child = host
        .machine
        .command(&["start", "--profile", PROFILE])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    host.wtt.connected();
    host.up(&["--model", "m"]).code(75).says("`wtt-connect down agent-001-codex` stops it");
    // without a service manager it is to take the new settings, and not to be run a second time
    host.fail("show-environment", "Failed to connect to bus: No medium found\n");
    let run = host.up(&["--model", "m"]).code(69).says("already runs it").hides("wtt-connect start");
    run.says("\n  wtt-connect restart agent-001-codex");
    // reaped at once, or it would still look alive
    let reaper = std::thread::spawn(move || child.wait().unwrap());
    host.machine.run(&["down", PROFILE]).code(0).says("agent-001-codex was stopped (process ");
    assert!(reaper.join().unwrap().success());
}

#[test]
fn purging_leaves_a_folder_that_somebody_chose() {
    let host = Host::new();
    let chosen = host.machine.path("chosen");
    host.machine.file("chosen/mine.txt", "mine");
    host.up(&["--no-start"]).code(0);
    let text = host.profile_text();
    let default = host.state_dir();
    host.machine.profile(PROFILE, &text.replace(default.to_str().unwrap(), chosen.to_str().unwrap()));
    host.machine.run(&["down", PROFILE, "--purge"]).code(0).says("was kept");
    assert!(chosen.join("mine.txt").exists() && !host.profile().exists());
}

#[test]
fn workdir_changes_one_line() {
    let host = Host::new();
    host.up(&["--no-start"]).code(0);
    let before = host.profile_text();
    host.machine.run(&["workdir", AGENT, "o'brien's place"]).code(0).says("from its next start on");
    let dir = host.machine.path("cwd/o'brien's place");
    assert!(dir.is_dir());
    let text = host.profile_text();
    let changed: Vec<&str> = text.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(changed, [format!("WTT_CONNECT_WORKDIR=\"{}\"", dir.display())]);
    assert_eq!(mode(&host.profile()), 0o600);
    host.up(&[]).code(0);
    host.machine
        .run(&["workdir", AGENT, "w2"])
        .code(0)
        .says("`wtt-connect restart agent-001-codex` restarts it");
    host.machine.run(&["workdir", AGENT, "w3", "--restart"]).code(0).says("w3; it restarted");
    host.machine.run(&["workdir", AGENT]).code(2).says("workdir needs DIR");
    host.machine.run(&["workdir", "agent-01", "/x"]).says("did you mean agent-001");
}

#[test]
fn running_turns_are_not_cut_for_a_new_setting() {
    let host = Host::new();
    let codex = "#!/bin/sh\n[ \"$1\" = --version ] && echo codex-cli 1 && exit\n[ \"$1\" = login ] && exit\n\
                 touch \"$HOME/began\"\nwhile [ ! -e \"$HOME/go\" ]; do sleep 0.05; done\n";
    make_program(&host.machine.file("bin/codex", codex));
    host.up(&[]).code(0);
    let topic = host.wtt.p2p();
    host.wtt.say(&topic, "work");
    until("a turn", || host.machine.path("home/began").exists());
    host.calls();
    host.up(&["--model", "m"]).code(0).says("restarts when 1 running turn(s) have ended");
    assert!(host.calls().iter().all(|call| !call.contains("restart")));
    std::fs::write(host.machine.path("home/go"), "").unwrap();
    until("the answer", || !host.wtt.posts(&topic).is_empty());
    let connections =
        || std::fs::read_to_string(host.machine.path("bin/log")).unwrap().matches("connected as").count();
    until("the restart", || connections() == 2);
}

#[test]
fn status_shows_the_mode_that_runs_and_what_the_profile_says_now() {
    let host = Host::new();
    host.up(&[]).code(0);
    let text = host.profile_text().replace("full-auto", "suggest");
    std::fs::write(host.profile(), text).unwrap();
    host.machine.run(&["status", AGENT]).says("mode       full-auto; the profile now says suggest");
    host.machine.run(&["restart", AGENT]).code(0);
    host.machine.run(&["status", AGENT]).says("mode       suggest\n");
    host.machine.run(&["down", AGENT]).code(0).says("`wtt-connect up codex agent-001` starts it again");
}
