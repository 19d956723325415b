//! Kept agents in the whole daemon, with a fake Claude Code that serves turn after turn (`tests/agents/two_way.sh`).

use crate::support::daemon::{Connector, Home, Wtt, is_alive, until};
use std::path::Path;

fn start(wtt: &Wtt, home: &Home, env: &[(&str, &str)]) -> Connector {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/two_way.sh");
    let mut all = vec![
        ("WTT_CONNECT_CLAUDE_CODE_COMMAND", agent.to_str().unwrap()),
        ("WTT_CONNECT_CLAUDE_CODE_TRANSPORT", "stream"),
    ];
    all.extend(env);
    Connector::start(wtt, home, &all)
}

/// Processes that were started, oldest first.
fn pids(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.path().join("starts")).unwrap_or_default();
    text.lines().map(|line| line.split('|').next().unwrap().to_owned()).collect()
}

#[test]
fn a_topic_keeps_its_agent_until_it_starts_afresh_or_the_daemon_ends() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one-$$");
    wtt.answer(&topic, "one-");
    let first = pids(&home);
    wtt.say(&topic, "RUN: answer two-$$-$WTT_CONNECT_TURN");
    // no number would stay true in an agent that is kept
    wtt.answer(&topic, &format!("two-{}-current", first[0]));
    wtt.say(&topic, "/new");
    until("the end of the kept agent", || !is_alive(&first[0]));
    wtt.say(&topic, "RUN: answer three-$$");
    wtt.answer(&topic, "three-");
    wtt.say(&topic, "RUN: text half; await never");
    wtt.status(&topic, "half");
    wtt.say(&topic, "/stop");
    wtt.answer(&topic, "Stopped");
    assert!(!is_alive(&pids(&home)[1]), "what was stopped is not kept");
    // one that ends with its input, and one that has to be made to
    wtt.say(&topic, "RUN: answer four-$$");
    wtt.answer(&topic, "four-");
    let other = wtt.p2p();
    wtt.say(&other, "RUN: trap : TERM; answer five; while :; do sleep 1; done");
    wtt.answer(&other, "five");
    let all = pids(&home);
    assert_eq!(all.len(), 4);
    assert!(all[2..].iter().all(|pid| is_alive(pid)));
    assert!(connector.stop().success());
    assert!(!all.iter().any(|pid| is_alive(pid)));
}

#[test]
#[cfg(target_os = "linux")]
fn after_a_kill_of_the_daemon_the_next_start_ends_what_was_kept() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    // it does not end with its input
    wtt.say(&topic, "RUN: answer one; exec sleep 300");
    wtt.answer(&topic, "one");
    let pid = pids(&home).remove(0);
    until("its acknowledgement", || home.outbox().is_empty());
    connector.kill();
    assert!(is_alive(&pid));
    wtt.forget();
    let _connector = start(&wtt, &home, &[]);
    until("the sweep", || !is_alive(&pid));
    wtt.say(&topic, "RUN: answer two-$id");
    wtt.answer(&topic, "two-");
    let starts = std::fs::read_to_string(home.path().join("starts")).unwrap();
    assert!(starts.lines().nth(1).unwrap().contains("--resume="), "{starts}");
}

#[test]
fn the_idle_limit_of_the_settings() {
    for (seconds, kept) in [("0", false), ("1", true)] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let _connector = start(&wtt, &home, &[("WTT_CONNECT_AGENT_IDLE_SECONDS", seconds)]);
        let topic = wtt.p2p();
        wtt.say(&topic, "RUN: answer one");
        wtt.answer(&topic, "one");
        let pid = pids(&home).remove(0);
        assert!(kept || !is_alive(&pid));
        until("its end", || !is_alive(&pid));
        wtt.say(&topic, "RUN: answer two");
        wtt.answer(&topic, "two");
        assert_eq!(pids(&home).len(), 2);
    }
}
