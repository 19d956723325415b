//! `up` when something is wrong: it says what, writes nothing before all is checked, and says how to go on.

use super::{Host, PROFILE};
use crate::cli::Machine;
use crate::support::daemon::{AGENT, TOKEN};

#[test]
fn a_refused_token_is_not_written() {
    let host = Host::new();
    host.up_with("CANARY-wrong", &[])
        .code(78)
        .hides("CANARY")
        .says("the service refused this token; nothing was written");
    assert!(!host.profile().exists() && host.calls().is_empty());
    host.up(&["--no-start"]).code(0);
    let before = host.profile_text();
    host.up_with("CANARY-wrong", &[]).code(78);
    assert_eq!(host.profile_text(), before);
}

#[test]
fn being_offline_is_no_failure() {
    let host = Host::new();
    let words = ["up", "codex", AGENT, TOKEN, "--base-url", "http://127.0.0.1:9"];
    let run = host.machine.run(&words).code(0).says("not connected yet: ").says("the service keeps trying");
    run.says("Once it is connected");
}

#[test]
fn a_missing_cli_is_said_and_remedied() {
    let host = Host::new();
    std::fs::remove_file(host.machine.path("bin/codex")).unwrap();
    host.up(&[]).code(0).says("problem  codex: no `codex` on PATH").says("\nNow install");
}

#[test]
fn without_a_service_manager_the_command_to_run_is_printed() {
    let command = "  wtt-connect start --profile agent-001-codex\n";
    let host = Host::new();
    host.fail("show-environment", "Failed to connect to bus: No medium found\n");
    host.up(&[]).code(69).says("Failed to connect to bus: No medium found").says(command);
    assert!(host.profile().exists() && !host.unit().exists());
    for tool in ["systemctl", "loginctl", "journalctl"] {
        std::fs::remove_file(host.machine.path("bin").join(tool)).unwrap();
    }
    let path = host.machine.path("bin").display().to_string();
    let base = host.wtt.service.base_url();
    let mut up = host.machine.command(&["up", "codex", AGENT, TOKEN, "--base-url", &base]);
    let output = up.env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // /usr/local/bin is looked into whatever PATH says
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("there is no systemctl on PATH") && said.contains(command), "{said}");
}

#[test]
fn a_failed_step_is_named_and_the_same_command_does_the_rest() {
    let host = Host::new();
    for (verb, why) in [
        ("daemon-reload", "Access denied"),
        ("enable", "Unit file is masked"),
        ("start", "Job failed because a timeout was exceeded"),
    ] {
        host.fail(verb, why);
        let run = host.up(&[]).code(1).says(why).says(&format!("`systemctl --user {verb}"));
        run.says("run the same command again to do the rest");
        std::fs::remove_file(host.machine.path(&format!("bin/fail-{verb}"))).unwrap();
        // it is not known whether the manager has read the unit
        std::fs::remove_file(host.unit()).unwrap();
    }
    host.up(&[]).code(0).says("enabled and started").says("connected to");
}

#[test]
fn linger_may_be_forbidden() {
    let host = Host::new();
    host.fail("enable-linger", "Could not enable linger: Interactive authentication required.");
    let run = host
        .up(&["--enable-linger"])
        .code(0)
        .says("this machine does not permit it (Could not enable linger");
    run.says("an administrator can run `loginctl enable-linger");
}

#[test]
fn mistakes_are_said_together_before_anything_happens() {
    let host = Host::new();
    let up = |words: &[&str]| host.machine.run(&[&["up"], words].concat()).code(2);
    up(&[]).says("up needs ADAPTER and AGENT_ID").one_line();
    up(&["codex"]).says("as in `wtt-connect up codex agent-001 TOKEN`").one_line();
    up(&["gpt", "a/b", "t"]).says("ADAPTER \"gpt\" is not an adapter").says("AGENT_ID is not an agent id");
    up(&["codex", "a"]).says("the token is missing; give it as TOKEN").one_line();
    up(&["codex", "a", "t", "--token-file", "f"]).says("given twice").one_line();
    up(&["codex", "a", "CANARY b"]).says("the token has a blank").hides("CANARY").one_line();
    up(&["codex", "a", "CANARY'b"]).says("an env file cannot hold").hides("CANARY").one_line();
    up(&["codex", "a", "CANARY\\"]).says("an env file cannot hold").hides("CANARY").one_line();
    up(&["codex", "a", ""]).says("the token is empty").one_line();
    up(&["codex", "a", "t", "--mode", "fast"]).says("accepted: one of full-auto").one_line();
    up(&["codex", "a", "t", "--mode", "yolo"]).says("add --allow-yolo").one_line();
    up(&["codex", "a", "t", "--base-url", "waxbyte.com"]).says("write https://waxbyte.com").one_line();
    up(&["codex", "a", "t", "--profile", "../x"]).says("is not a profile name").one_line();
    up(&["codex", "a", "t", "x"]).says("unexpected argument \"x\"").one_line();
    assert!(!host.machine.path("home/.config").exists() && host.calls().is_empty());
    host.machine.profile("a-codex", "WTT_AGENT_ID=a\nWTT_TOKEN=t\n");
    up(&["claude-code", "a"]).says("the profile a-codex has one (add `--profile a-codex`)").one_line();
    host.machine.run(&["up", "codex", "a", "--token-file", "none"]).code(78).says("no such file").one_line();
}

#[test]
fn a_missing_home_directory_is_reported() {
    let machine = Machine::new().env("HOME", "");
    machine.run(&["up", "codex", AGENT, TOKEN]).code(78).says("HOME is not set").one_line();
    machine.run(&["setup"]).code(78).says("HOME is not set").one_line();
}

#[test]
fn a_profile_of_another_agent_is_left_alone() {
    let host = Host::new();
    host.up(&["--no-start"]).code(0);
    let words = ["up", "codex", "agent-002", "t", "--profile", PROFILE];
    host.machine.run(&words).code(78).says("the profile agent-001-codex belongs to agent-001").one_line();
}

#[test]
fn two_connectors_of_one_identity_are_refused() {
    let host = Host::new();
    host.up(&[]).code(0);
    let run = host.machine.run(&["up", "claude-code", AGENT, TOKEN]);
    run.code(75).says("the profile agent-001-codex is already running for agent-001").one_line();
    host.machine.run(&["down", PROFILE]).code(0);
    let base = host.wtt.service.base_url();
    let words = ["up", "claude-code", AGENT, TOKEN, "--base-url", &base, "--no-start"];
    host.machine.run(&words).code(0).says("only one of them can be connected");
}

#[test]
fn a_profile_that_is_a_symlink_is_not_written_through() {
    let host = Host::new();
    let target = host.machine.file("target", "");
    std::fs::create_dir_all(host.profile().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, host.profile()).unwrap();
    host.up(&["--no-start"]).code(1).says("is not a regular file").hides(TOKEN);
    assert_eq!(std::fs::read_to_string(target).unwrap(), "");
}

#[test]
fn a_mode_that_the_adapter_cannot_keep_is_refused_before_anything_is_written() {
    let host = Host::new();
    let base = host.wtt.service.base_url();
    let words = ["up", "pi", AGENT, TOKEN, "--base-url", &base, "--mode", "auto-edit", "--no-start"];
    host.machine.run(&words).code(78).says("does not support the mode auto-edit").says("full-auto");
    assert!(!host.machine.path("home/.config/wtt-connect/profiles").exists());
}

#[test]
fn an_env_file_without_an_adapter_is_told_what_it_lacks() {
    let host = Host::new();
    let file = host.machine.file("e.env", "WTT_AGENT_ID=agent-001\nWTT_TOKEN=t\n");
    let words = ["up", "--env-file", file.to_str().unwrap()];
    host.machine.run(&words).code(2).says("WTT_CONNECT_ADAPTER");
}
