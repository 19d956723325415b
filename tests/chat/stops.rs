//! `/stop`: whatever runs, waits or was put off in a topic ends within three seconds, with one visible line.

use crate::support::daemon::{AGENT, Connector, Home, Wtt, is_alive, until};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// How soon; a loaded machine has longer.
const SOON: Duration = Duration::from_secs(10);
const FAST: (&str, &str) = ("WTT_CONNECT_TEST_TASK_TIMING", r#"{"hold":50,"recheck":50}"#);
const WORKS: &str = "RUN: sh -c 'echo $$ > \"$HOME/pid\"; touch \"$HOME/begun\"; exec sleep 600'";

fn task(wtt: &Wtt, description: &str) -> Map<String, Value> {
    wtt.service.create_task(json!({"title": "x", "description": description, "status": "doing",
        "runner_agent_id": AGENT, "owner_agent_id": AGENT}))
}

fn text<'t>(task: &'t Map<String, Value>, name: &str) -> &'t str {
    task[name].as_str().unwrap()
}

#[test]
fn the_run_of_a_task_ends_and_the_board_is_told() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = task(&wtt, WORKS);
    home.wait_for("begun");
    let agent = std::fs::read_to_string(home.path().join("pid")).unwrap();
    let at = Instant::now();
    wtt.say(text(&task, "topic_id"), "/stop");
    wtt.answer(text(&task, "topic_id"), "⏹ Stopped");
    assert!(at.elapsed() < SOON && !is_alive(agent.trim()), "{:?}", at.elapsed());
    until("the task blocked", || wtt.service.task(text(&task, "id")).unwrap()["status"] == "blocked");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!((wtt.posts(text(&task, "topic_id")).len(), home.runs().len()), (1, 1));
}

#[test]
fn a_run_that_was_put_off_is_dropped_and_the_board_is_told() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let later = wtt_connect::sys::time::now_ms() / 1000 + 3600;
    let task = task(&wtt, &format!("RUN: fail 'Claude AI usage limit reached|{later}'"));
    let topic = text(&task, "topic_id");
    wtt.answer(topic, "usage limit");
    until("an empty outbox", || home.outbox().is_empty());
    wtt.say(topic, "/stop");
    wtt.answer(topic, "are dropped");
    until("the task blocked", || wtt.service.task(text(&task, "id")).unwrap()["status"] == "blocked");
    wtt.say(topic, "/stop");
    wtt.answer(topic, "Nothing is running");
    assert_eq!(home.runs().len(), 1);
}

#[test]
fn each_stop_ends_one_turn_and_one_that_waits_for_a_place_does_not_begin() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MAX_AGENTS", "1")]);
    let (one, two) = (wtt.p2p(), wtt.p2p());
    wtt.say(&one, WORKS);
    home.wait_for("begun");
    wtt.say(&one, "RUN: answer next");
    wtt.status(&one, "waiting for 1 earlier message");
    wtt.say(&two, "RUN: answer never");
    wtt.status(&two, "waiting for a free place");
    wtt.say(&two, "/stop");
    wtt.answer(&two, "⏹ Stopped before it began");
    wtt.say(&one, "/stop");
    wtt.answer(&one, "⏹ Stopped");
    wtt.answer(&one, "next");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!((wtt.posts(&one).len(), wtt.posts(&two).len(), home.runs().len()), (2, 1, 2));
}

#[test]
fn a_recording_that_is_listened_to_is_let_go() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let hear = home.path().join("hear");
    let script = "#!/bin/sh\necho $$ > \"$HOME/pid\"; touch \"$HOME/begun\"; exec sleep 600\n";
    crate::support::program::program(&hear, script);
    let command = format!("{} {{file}}", hear.display());
    let env = [("WTT_CONNECT_STT_PROVIDER", "command"), ("WTT_CONNECT_STT_COMMAND", command.as_str())];
    let _connector = Connector::start(&wtt, &home, &env);
    let topic = wtt.p2p();
    let url = crate::incoming::upload(&wtt, "memo.ogg", b"OggS sound");
    wtt.say(&topic, &format!("[audio:memo.ogg]({url})"));
    home.wait_for("begun");
    let program = std::fs::read_to_string(home.path().join("pid")).unwrap();
    let at = Instant::now();
    wtt.say(&topic, "/stop");
    wtt.answer(&topic, "⏹ Stopped");
    assert!(at.elapsed() < SOON && !is_alive(program.trim()), "{:?}", at.elapsed());
    assert!(home.runs().is_empty());
}
