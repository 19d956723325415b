//! Killed at any storage step of a task's run: it ends for the people who look at the board, and is not run twice.

use super::running::{FAST, Person, create, id, topic};
use crate::support::daemon::{AGENT, Connector, Home, Wtt, command, kill_points, until};
use serde_json::{Map, Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use wtt_connect::local::service::{Faults, MessageAuthor};

/// Points of the short run: acceptance, the reply, what is noted of its patch, the end. `WTT_TEST_KILL_POINTS=all` takes
/// each one.
const SHORT: [usize; 6] = [6, 12, 16, 19, 22, 25];

/// The next connector, once it has brought the task to an end and everything is delivered.
fn ends_after(wtt: &Wtt, home: &Home, task: &Map<String, Value>, point: usize) -> Connector {
    wtt.forget();
    let connector = Connector::start(wtt, home, &[FAST]);
    until(&format!("an end after a kill at step {point}"), || {
        let row = wtt.service.task(id(task)).unwrap();
        [json!("review"), json!("blocked")].contains(&row["status"]) && home.outbox().is_empty()
    });
    connector
}

#[test]
fn a_task_ends_after_a_kill_at_any_storage_step() {
    let (mut killed, mut reviewed) = (0, 0);
    for point in kill_points(&SHORT, 30) {
        let (wtt, home) = (Wtt::start(), Home::new());
        let task = create(&wtt, "RUN: answer done", "doing");
        let at = point.to_string();
        let mut first = command(&wtt.service.base_url(), &home, &[FAST, ("WTT_CONNECT_TEST_KILL_AT", &at)]);
        let mut child = first.stderr(Stdio::null()).spawn().unwrap();
        let status = || wtt.service.task(id(&task)).unwrap()["status"].as_str().unwrap().to_owned();
        let mut gone = false;
        until("the result or the kill", || {
            gone = child.try_wait().unwrap().is_some();
            gone || (status() == "review" && home.outbox().is_empty())
        });
        if gone {
            killed += usize::from(child.wait().unwrap().signal() == Some(9));
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let _connector = ends_after(&wtt, &home, &task, point);
        reviewed += usize::from(status() == "review");
        assert!(home.runs().len() <= 1, "step {point}: {:?}", home.runs());
        assert_eq!(wtt.posts(topic(&task)).len(), 1, "step {point}");
    }
    println!("killed {killed} times; {reviewed} tasks came to review");
    assert!(killed >= SHORT.len() - 2, "a task's run has fewer storage steps than expected: {killed}");
}

/// A person sets a task going.
fn is_set_going(wtt: &Wtt, task: &Map<String, Value>) {
    Person::at(wtt).does(task, "run", &json!({ "runner_agent_id": AGENT }));
}

#[test]
fn a_message_that_was_being_answered_at_a_kill_is_no_second_run_of_its_task() {
    let status = |wtt: &Wtt, task: &_| wtt.service.task(id(task)).unwrap()["status"].clone();
    for (line, said, end) in [
        ("RUN: answer asked", "asked", "review"),
        ("RUN: touch \"$HOME/begun\"; await never", "interrupted", "blocked"),
    ] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let connector = Connector::start(&wtt, &home, &[FAST]);
        let task = create(&wtt, "", "blocked");
        let when = wtt_connect::sys::time::rfc3339(wtt_connect::sys::time::now_ms() + 3_000);
        wtt.service.post_message(topic(&task), MessageAuthor::Human, line, json!({ "created_at": when }));
        match end {
            "review" => {
                wtt.answer(topic(&task), said);
                until("an empty outbox", || home.outbox().is_empty());
            }
            _ => home.wait_for("begun"),
        }
        connector.kill();
        wtt.forget();
        is_set_going(&wtt, &task);
        let _connector = Connector::start(&wtt, &home, &[FAST]);
        until("the end of the task", || status(&wtt, &task) == end);
        let (body, _) = super::patch(&wtt, id(&task), 0);
        assert!(body["notes"].as_str().unwrap().contains(said), "{body}");
        until("an empty outbox", || home.outbox().is_empty());
        assert_eq!((home.runs().len(), wtt.posts(topic(&task)).len()), (1, 1), "{:?}", home.runs());
    }
}

#[test]
fn a_message_that_sets_a_task_going_is_not_run_twice_after_a_kill_at_any_storage_step() {
    for point in kill_points(&[7, 10, 13, 16, 20], 30) {
        let (wtt, home) = (Wtt::start(), Home::new());
        let task = create(&wtt, "", "blocked");
        let at = point.to_string();
        let mut first = command(&wtt.service.base_url(), &home, &[FAST, ("WTT_CONNECT_TEST_KILL_AT", &at)]);
        let mut child = first.stderr(Stdio::null()).spawn().unwrap();
        let mut gone = || child.try_wait().unwrap().is_some();
        until("the connection or the kill", || {
            wtt.service.push_frame(AGENT, json!({ "type": "none" })) || gone()
        });
        wtt.say(topic(&task), "RUN: answer asked");
        until("the agent or the kill", || !home.runs().is_empty() || gone());
        is_set_going(&wtt, &task);
        let status = || wtt.service.task(id(&task)).unwrap()["status"].as_str().unwrap().to_owned();
        until("the result or the kill", || (status() == "review" && home.outbox().is_empty()) || gone());
        if !gone() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let _connector = ends_after(&wtt, &home, &task, point);
        assert!(home.runs().len() <= 1, "step {point}: {:?}", home.runs());
        assert!(!wtt.posts(topic(&task)).is_empty(), "step {point}");
    }
}

#[test]
fn what_was_missed_is_read_before_a_task_is_run() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let task = create(&wtt, "", "blocked");
    assert!(Connector::start(&wtt, &home, &[FAST]).stop().success());
    wtt.say(topic(&task), "RUN: answer asked");
    is_set_going(&wtt, &task);
    // the board answers at once, the socket does not
    let slow = Some(std::time::Duration::from_millis(500));
    wtt.service.set_faults(Faults { delay_results: slow, ..Faults::default() });
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    wtt.answer(topic(&task), "asked");
    until("the end of the task", || {
        let status = wtt.service.task(id(&task)).unwrap()["status"].as_str().unwrap().to_owned();
        status == "review" && home.outbox().is_empty()
    });
    assert_eq!(home.runs().len(), 1, "{:?}", home.runs());
}
