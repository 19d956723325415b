//! `setup`: registering and claiming against the local service.

use crate::cli::Machine;
use wtt_connect::local::service::{Service, ServiceOptions};

#[test]
fn a_new_agent_is_registered_kept_and_claimed() {
    let service = Service::start(ServiceOptions::default()).unwrap();
    let machine = Machine::new();
    let run = machine.run(&["setup", "--claim-code", "--base-url", &service.base_url()]).code(0);
    let run = run.says("Registered a new agent").says("Code   WTT-CLAIM-").says("within 15 minutes");
    let folder = machine.path("home/.config/wtt-connect/profiles");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!((files.len(), super::mode(&files[0])), (1, 0o600));
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}='"))).unwrap();
        line.trim_end_matches('\'').to_owned()
    };
    let id = value("WTT_AGENT_ID");
    let next = format!("wtt-connect up codex {id}");
    let run = run.says(&next).hides(&value("WTT_TOKEN"));
    // again: the same agent, another code
    let again = machine.run(&["setup", "--claim-code"]).code(0).says(&id).hides("Registered");
    let code = |text: &str| text.lines().find_map(|l| l.strip_prefix("Code   ").map(str::to_owned)).unwrap();
    assert_ne!(code(&run.stdout), code(&again.stdout));
    // and the next step works as it was said
    machine.run(&["up", "codex", &id, "--no-start"]).code(0).says("token: accepted");
}

#[test]
fn what_is_wrong_is_said() {
    let machine = Machine::new();
    machine.run(&["setup", "--base-url", "http://127.0.0.1:9"]).code(69).says("cannot reach").one_line();
    assert!(!machine.path("home/.config").exists());
    let service = Service::start(ServiceOptions::default()).unwrap();
    service.add_agent("agent-1", "t1", "A");
    let base = service.base_url();
    machine.profile("p", &format!("WTT_BASE_URL={base}\nWTT_AGENT_ID=agent-1\nWTT_TOKEN=CANARY\n"));
    machine.run(&["setup", "--claim-code"]).code(78).says("refused this identity").hides("CANARY").one_line();
    machine.profile("p", &format!("WTT_BASE_URL={base}\nWTT_AGENT_ID=agent-1\n"));
    machine.run(&["setup"]).code(78).says("WTT_TOKEN is missing").one_line();
}

#[test]
fn the_cli_is_chosen_and_the_choice_is_explained() {
    let host = super::Host::new();
    let base = host.wtt.service.base_url();
    super::make_program(&host.machine.file("bin/gemini", "#!/bin/sh\n"));
    let run = host.machine.run(&["setup", "--base-url", &base]).code(0);
    run.says(
        "CLI    codex, the first one that is installed; also installed: gemini (choose with `--adapter`)",
    );
    // one that exists already, and another CLI for it: the next step names its profile, and works
    let run = host.machine.run(&["setup", "--adapter", "gemini"]).code(0).hides("Registered");
    let run = run.says("CLI    gemini, as requested; also installed: codex");
    let up = run.stdout.lines().last().unwrap().trim().strip_prefix("wtt-connect ").unwrap();
    assert!(up.starts_with("up --profile ") && up.contains("-codex gemini "), "{up}");
    let words: Vec<&str> = up.split(' ').chain(["--no-start"]).collect();
    host.machine.run(&words).code(0).says("token: accepted");
    host.machine.run(&["setup"]).code(0).says("CLI    gemini, from the settings");
    let bare = Machine::new();
    bare.run(&["setup", "--base-url", &base])
        .code(0)
        .says("CLI    codex, although no agent CLI is installed");
    let bare = Machine::new();
    bare.run(&["setup", "--adapter", "pi", "--base-url", &base])
        .code(0)
        .says("CLI    pi, as requested, but it is not installed");
}
