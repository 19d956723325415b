//! What an outbox entry carries out once its texts are acknowledged.

use super::patch;
use super::running::Person;
use crate::support::daemon::{AGENT, Connector, Home, Wtt, until};
use serde_json::{Map, Value, json};
use wtt_connect::local::service::Faults;
use wtt_connect::store::follow_up::FollowUp;
use wtt_connect::store::outbox::{Outbox, ReplyKind};

fn task(wtt: &Wtt) -> Map<String, Value> {
    wtt.service.create_task(json!({"title": "Build", "status": "doing", "runner_agent_id": AGENT}))
}

fn text<'a>(task: &'a Map<String, Value>, key: &str) -> &'a str {
    task[key].as_str().unwrap()
}

/// An outbox as an earlier run has left it, with one entry.
fn leave(home: &Home, task: &Map<String, Value>, parts: &[&str], bodies: &[Value]) {
    let (outbox, _, _) = Outbox::open(&home.state_dir().join("outbox")).unwrap();
    let parts = parts.iter().map(|part| (*part).to_owned()).collect();
    let mut entry = outbox.new_entry("m1", text(task, "topic_id"), None, parts, ReplyKind::Done);
    let path = format!("/tasks/{}", text(task, "id"));
    entry.follow_ups =
        bodies.iter().map(|body| FollowUp::Patch { path: path.clone(), body: body.clone() }).collect();
    outbox.put(&entry).unwrap();
}

fn failed(home: &Home) -> Vec<Value> {
    let Ok(files) = std::fs::read_dir(home.state_dir().join("outbox/failed")) else { return Vec::new() };
    let read = |file: std::io::Result<std::fs::DirEntry>| std::fs::read(file.unwrap().path()).unwrap();
    files.map(|file| serde_json::from_slice(&read(file)).unwrap()).collect()
}

fn review() -> Value {
    json!({"status": "review", "notes": "well", "output": "well", "usage_total_tokens": 5})
}

#[test]
fn patches_follow_the_texts_in_order() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let task = task(&wtt);
    leave(&home, &task, &["one", "two"], &[review(), json!({"priority": "P0"})]);
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.answer(text(&task, "topic_id"), "two");
    assert_eq!(patch(&wtt, text(&task, "id"), 0), (review(), 200));
    assert_eq!(patch(&wtt, text(&task, "id"), 1), (json!({"priority": "P0"}), 200));
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(text(&task, "topic_id")).len(), 2);
}

#[test]
fn a_patch_alone_needs_no_text() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let task = task(&wtt);
    leave(&home, &task, &[], &[review()]);
    let _connector = Connector::start(&wtt, &home, &[]);
    patch(&wtt, text(&task, "id"), 0);
    until("an empty outbox", || home.outbox().is_empty());
    assert!(wtt.posts(text(&task, "topic_id")).is_empty() && failed(&home).is_empty());
}

#[test]
fn an_unknown_end_is_tried_again_and_holds_no_reply_back() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { patch_answers: vec![500], ..Faults::default() });
    let task = task(&wtt);
    leave(&home, &task, &["done"], &[review()]);
    let _connector = Connector::start(&wtt, &home, &[]);
    assert_eq!(patch(&wtt, text(&task, "id"), 0).1, 500);
    wtt.say(text(&task, "topic_id"), "RUN: answer meanwhile");
    wtt.answer(text(&task, "topic_id"), "meanwhile");
    assert_eq!(patch(&wtt, text(&task, "id"), 1), (review(), 200));
    until("an empty outbox", || home.outbox().is_empty());
}

#[test]
fn fields_that_the_service_does_not_know_are_left_out() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { unknown_task_fields: vec!["output".into()], ..Faults::default() });
    let task = task(&wtt);
    leave(&home, &task, &["done"], &[review()]);
    let _connector = Connector::start(&wtt, &home, &[]);
    assert_eq!(patch(&wtt, text(&task, "id"), 0).1, 422);
    let (body, status) = patch(&wtt, text(&task, "id"), 1);
    assert_eq!((body, status), (json!({"status": "review", "notes": "well", "usage_total_tokens": 5}), 200));
    until("an empty outbox", || home.outbox().is_empty());
    assert!(failed(&home).is_empty());
}

#[test]
fn what_is_refused_for_good_is_recorded_and_the_rest_goes_on() {
    let (wtt, home) = (Wtt::start(), Home::new());
    // not there: not tried again, as other refusals are for 16 s
    wtt.service.set_faults(Faults { patch_answers: vec![404], ..Faults::default() });
    let task = task(&wtt);
    leave(&home, &task, &["done"], &[review(), json!({"priority": "P0"})]);
    let connector = Connector::start(&wtt, &home, &[]);
    let (body, status) = patch(&wtt, text(&task, "id"), 1);
    assert_eq!((body, status), (json!({"priority": "P0"}), 200));
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(failed(&home)[0]["after"][0]["body"], review());
    assert!(connector.log().contains("kept in outbox/failed"), "{}", connector.log());
}

#[test]
fn done_texts_and_errands_are_not_repeated_after_a_crash() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { patch_answers: vec![200, 503], ..Faults::default() });
    let task = task(&wtt);
    leave(&home, &task, &["said"], &[review(), json!({"priority": "P0"})]);
    let connector = Connector::start(&wtt, &home, &[]);
    assert_eq!(patch(&wtt, text(&task, "id"), 1).1, 503);
    connector.kill();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    assert_eq!(patch(&wtt, text(&task, "id"), 0), (json!({"priority": "P0"}), 200));
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(text(&task, "topic_id")).len(), 1);
}

#[test]
fn what_an_earlier_run_may_have_patched_undoes_no_review() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let with = |status: &str, notes: &str| {
        let fields =
            json!({"title": "x", "status": status, "notes": notes, "runner_agent_id": "agent-other"});
        wtt.service.create_task(fields)
    };
    let person = Person::at(&wtt);
    // approved; sent back, so that it is being done again; not told yet
    let tasks = [with("done", "well"), with("doing", "well"), with("doing", "")];
    for task in &tasks {
        leave(&home, task, &[], &[review()]);
        person.0.patch_json(&format!("/tasks/{}", text(task, "id")), &json!({"priority": "P0"})).unwrap();
    }
    let _connector = Connector::start(&wtt, &home, &[]);
    until("an empty outbox", || home.outbox().is_empty());
    let status = |task: &Map<String, Value>| wtt.service.task(text(task, "id")).unwrap()["status"].clone();
    assert_eq!(tasks.each_ref().map(status), ["done", "doing", "review"]);
}

#[test]
fn an_entry_of_an_older_version_is_read() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let folder = home.state_dir().join("outbox");
    std::fs::create_dir_all(&folder).unwrap();
    let old = json!({"seq": 7, "id": "a", "key": "m", "topic_id": topic, "parts": ["old"], "kind": "done", "at": 1});
    std::fs::write(folder.join("0000000000000007-a.json"), old.to_string()).unwrap();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.answer(&topic, "old");
    until("an empty outbox", || home.outbox().is_empty());
}
