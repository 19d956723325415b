//! `start` against the local service: profiles, renewed tokens, and that no token is left anywhere.

use crate::support::daemon::{AGENT, Connector, Home, TOKEN, Wtt, binary, command, until};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use wtt_connect::local::service::ServiceEvent;

/// Ends the process that a test started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `start --profile p` with the variables of another agent around it.
fn start_profile(home: &Home, text: &str, env: &[(&str, &str)]) -> Running {
    write_profile(home, text);
    let child = Command::new(binary())
        .args(["start", "--profile", "p"])
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .env("WTT_BASE_URL", "http://127.0.0.1:9")
        .env("WTT_AGENT_ID", "agent-of-the-host")
        .env("WTT_TOKEN", "tok-of-the-host")
        .env("WTT_CONNECT_STATE_DIR", home.path().join("state-of-the-host"))
        .envs(env.iter().copied())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(home.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    Running(child)
}

fn write_profile(home: &Home, text: &str) {
    let folder = home.path().join(".config/wtt-connect/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("p.env"), text).unwrap();
}

fn profile(wtt: &Wtt, token: &str) -> String {
    format!("WTT_BASE_URL={}\nWTT_AGENT_ID={AGENT}\nWTT_TOKEN='{token}'\n", wtt.service.base_url())
}

#[test]
fn a_profile_started_by_another_agent_speaks_for_itself() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _running = start_profile(&home, &profile(&wtt, TOKEN), &[]);
    wtt.connected();
    assert!(home.path().join(".local/state/wtt-connect/p").is_dir());
    assert!(!home.path().join("state-of-the-host").exists());
}

#[test]
fn a_missing_agent_is_said_at_the_start() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let text = profile(&wtt, TOKEN) + "WTT_CONNECT_CODEX_COMMAND=/nowhere/codex\n";
    let _running = start_profile(&home, &text, &[]);
    wtt.connected();
    let warned = "Codex cannot answer: `/nowhere/codex` of the configured command is not an executable program; \
                  correct WTT_CONNECT_CODEX_COMMAND";
    let log = || std::fs::read_to_string(home.path().join("log")).unwrap();
    until("a warning", || log().lines().any(|l| l.contains(" WARN ") && l.contains(warned)));
}

#[test]
fn no_connection_is_a_warning_once() {
    let home = Home::new();
    let text = format!("WTT_BASE_URL=http://127.0.0.1:9\nWTT_AGENT_ID={AGENT}\nWTT_TOKEN='{TOKEN}'\n");
    let _running =
        start_profile(&home, &text, &[("WTT_CONNECT_TEST_TIMING", r#"{"backoff":10,"backoff_max":10}"#)]);
    let failures = || {
        let log = std::fs::read_to_string(home.path().join("log")).unwrap();
        log.lines()
            .filter(|l| l.contains("cannot connect to 127.0.0.1:9"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    until("three failures", || failures().len() >= 3);
    let failures = failures();
    assert!(failures[0].contains(" WARN "), "{failures:?}");
    assert!(failures[1..].iter().all(|l| l.contains(" INFO ")), "{failures:?}");
}

#[test]
fn a_token_renewed_in_the_profile_is_used_without_a_restart() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let old = "CANARY-old-token";
    let _running =
        start_profile(&home, &profile(&wtt, old), &[("WTT_CONNECT_TEST_TIMING", r#"{"refused":50}"#)]);
    wtt.wait("a refusal", |o| (o.event == ServiceEvent::Auth(false)).then_some(()));
    write_profile(&home, &profile(&wtt, TOKEN));
    wtt.connected();
    let log = std::fs::read_to_string(home.path().join("log")).unwrap();
    assert!(!log.contains("CANARY"), "{log}");
    let refusals: Vec<&str> = log.lines().filter(|l| l.contains(" ERROR ")).collect();
    let file = home.path().join(".config/wtt-connect/profiles/p.env");
    let remedy = format!("put a new token into {}; it is read again", file.display());
    assert!(refusals.len() == 1 && refusals[0].contains(&remedy), "{log}");
    assert_eq!(refusals[0].matches("refuses the token").count(), 1, "{log}");
}

#[test]
fn the_token_is_in_no_log_state_or_argument() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_LOG", "trace"), ("RUST_LOG", "trace")]);
    wtt.say(&topic, "hello");
    until("an answer", || !wtt.posts(&topic).is_empty());
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", connector.pid())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&cmdline).contains("CANARY"));
    assert!(connector.stop().success());
    let mut looked_at = 0;
    search(home.path(), &mut looked_at);
    assert!(looked_at >= 2, "the log and the state");
}

/// Fails on the first file that holds the token.
fn search(folder: &Path, looked_at: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, looked_at);
        } else if let Ok(bytes) = std::fs::read(&path) {
            *looked_at += 1;
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("CANARY"), "{} holds the token: {text}", path.display());
        }
    }
}

#[test]
fn a_second_connector_exits_with_75() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _first = Connector::start(&wtt, &home, &[]);
    let second = command(&wtt.service.base_url(), &home, &[]).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(second.status.code(), Some(75));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("is running already"), "{text}");
}
