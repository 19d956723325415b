//! Real CLIs through the connector: `tests/real/run` calls these once for each, in a network that has only a scripted model.
//!
//! Skipped unless `WTT_TEST_REAL` is an adapter. Its CLI must be on `WTT_TEST_PATH` with a login in `WTT_TEST_HOME`, and reach
//! `tests/real/model.py`. The environment is passed on, also settings (`WTT_CONNECT_…`). What was seen is printed as
//! `cell …`.

#![allow(clippy::print_stdout)]

mod asks;
mod files;
mod forms;
mod modes;
mod pictures;
mod slash;
mod steer;

use crate::support::daemon::{Connector, Home, Wtt, until};
use std::time::Instant;

/// The adapter to test.
fn adapter() -> Option<String> {
    let named = std::env::var("WTT_TEST_REAL").ok().filter(|name| !name.is_empty());
    if named.is_none() {
        println!("skipped: WTT_TEST_REAL names no adapter");
    }
    named
}

fn start(wtt: &Wtt, home: &Home, adapter: &str, settings: &[(&str, &str)]) -> Connector {
    let of = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let ours = |name: &str| name.starts_with("WTT_") && !name.starts_with("WTT_CONNECT_");
    let mut env: Vec<(String, String)> =
        vec![("WTT_CONNECT_CLAUDE_CODE_COMMAND".to_owned(), "claude".to_owned())];
    env.extend(std::env::vars().filter(|(name, _)| !ours(name) && !name.starts_with("CARGO")));
    let last = [
        ("PATH", of("WTT_TEST_PATH")),
        ("HOME", of("WTT_TEST_HOME")),
        ("WTT_CONNECT_ADAPTER", adapter.to_owned()),
        ("WTT_CONNECT_ADAPTERS", adapter.to_owned()),
        ("WTT_CONNECT_LOG", "debug".to_owned()),
    ];
    env.extend(last.map(|(name, value)| (name.to_owned(), value)));
    env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Connector::start(wtt, home, &env)
}

/// Says something, and waits for an answer with these words.
fn turn(wtt: &Wtt, topic: &str, what: &str, awaited: &str) -> String {
    wtt.forget();
    let at = Instant::now();
    // Some CLIs glue a prompt that failed to the next one.
    wtt.say(topic, &format!("@@new@@ {what}"));
    let answer = wtt.answer(topic, "")["content"].to_string();
    println!("{what} -> {answer} after {:.1?}", at.elapsed());
    assert!(answer.contains(awaited), "not {awaited:?}");
    answer
}

fn native_ids(home: &Home) -> Vec<String> {
    let text = std::fs::read(home.state_dir().join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let rows = state["sessions"].as_object().unwrap().values();
    let ids = rows.filter_map(|row| {
        let mut members = row.as_object()?.iter();
        let id = members
            .find(|(key, _)| ["SessionId", "ThreadId", "ChatId"].iter().any(|end| key.ends_with(end)))?
            .1;
        Some(id.as_str()?.to_owned())
    });
    ids.collect()
}

/// Processes with these words in their command line.
fn running(words: &str) -> Vec<String> {
    let proc = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
    let lines = proc.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(words)).collect()
}

#[test]
fn a_conversation() {
    let Some(adapter) = adapter() else { return };
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &adapter, &[]);
    let topic = wtt.p2p();
    let say = |what: &str, awaited: &str| turn(&wtt, &topic, what, awaited);
    say("the bird is a pelican @@text:first answer@@", "first answer");
    println!("cell text ok");

    wtt.say(&topic, "@@new@@ @@sh:echo turn-two | tee made; sleep 2@@ @@text:second answer@@");
    // Kimi tells of a tool when it is over, together with the answer.
    if adapter != "kimi" {
        println!("status {}", wtt.status(&topic, "turn-two")["status_text"]);
    }
    wtt.answer(&topic, "second answer");
    assert_eq!(std::fs::read_to_string(home.path().join("work/made")).unwrap(), "turn-two\n");
    println!("cell tool ok");

    say("third @@recall:pelican@@", "pelican is known");
    println!("cell resume ok");

    assert!(connector.stop().success());
    let before = native_ids(&home);
    assert_eq!(before.len(), 1, "one native session for all turns");
    let connector = start(&wtt, &home, &adapter, &[]);
    say("fourth @@recall:pelican@@", "pelican is known");
    println!("cell restart ok");

    say("@@err:401@@", "rejected its login");
    say("after the error @@text:fifth answer@@", "fifth answer");
    println!("cell error ok");

    let asleep = format!("sleep 600.{}", std::process::id());
    wtt.say(&topic, &format!("@@new@@ @@sh:echo begun > begun; {asleep}@@"));
    until("the tool", || home.path().join("work/begun").exists());
    let at = Instant::now();
    wtt.say(&topic, "/stop");
    println!("stop -> {} after {:.1?}", wtt.answer(&topic, "Stopped")["content"], at.elapsed());
    assert_eq!(running(&asleep), Vec::<String>::new(), "nothing of it is left");
    say("after the stop @@recall:pelican@@", "pelican is known");
    let log = connector.log();
    assert!(connector.stop().success());
    assert_eq!(native_ids(&home), before, "the session was resumed across restart, error and stop");
    assert!(!log.contains("fresh session"), "{log}");
    println!("{log}");
    println!("cell stop ok");
}
