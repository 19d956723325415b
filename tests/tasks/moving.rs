//! Tasks while the service changes: its API moves, or it wants another token, and nobody restarts the connector. And
//! its word that comes late.

use super::patch;
use super::running::{FAST, Person, create, id, topic};
use crate::support::daemon::{AGENT, Connector, Home, Wtt, command, until};
use serde_json::json;
use std::process::Stdio;
use wtt_connect::local::service::{Faults, MessageAuthor};

#[test]
fn an_api_that_has_moved_is_found_again() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: answer first", "doing");
    assert_eq!(patch(&wtt, id(&task), 0).1, 200);
    until("an empty outbox", || home.outbox().is_empty());
    // also while a result is on its way
    let task = create(&wtt, "RUN: touch \"$HOME/begun\"; await go; answer second", "doing");
    home.wait_for("begun");
    wtt.service.set_faults(Faults { api_v1_only: true, ..Faults::default() });
    home.touch("go");
    until("the second result", || wtt.service.task(id(&task)).unwrap()["output"] == "second");
    let task = create(&wtt, "RUN: answer third", "doing");
    assert_eq!(patch(&wtt, id(&task), 0).0["output"], "third");
    // and back
    wtt.service.set_faults(Faults::default());
    let task = create(&wtt, "RUN: answer fourth", "doing");
    assert_eq!(patch(&wtt, id(&task), 0).0["output"], "fourth");
}

#[test]
fn a_new_token_in_the_file_is_used_and_until_then_a_result_waits() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let file = home.path().join("my.env");
    let put = |token: &str| std::fs::write(&file, format!("WTT_TOKEN='{token}'\n")).unwrap();
    put(crate::support::daemon::TOKEN);
    let log = home.path().join("log");
    let mut command = command(&wtt.service.base_url(), &home, &[FAST]);
    command.env_remove("WTT_TOKEN").arg("--env-file").arg(&file);
    let mut child = command.stderr(Stdio::from(std::fs::File::create(&log).unwrap())).spawn().unwrap();
    wtt.connected();
    let task = create(&wtt, "RUN: touch \"$HOME/begun\"; await go; answer done", "doing");
    home.wait_for("begun");
    // the connection stays, as services let it
    wtt.service.add_agent(AGENT, "CANARY-next", "Agent");
    home.touch("go");
    let said = || std::fs::read_to_string(&log).unwrap().contains("refuses the token");
    until("the refusal in the log", said);
    put("CANARY-next");
    until("the result", || wtt.service.task(id(&task)).unwrap()["output"] == "done");
    until("an empty outbox", || home.outbox().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("put a new token into") && !log.contains("CANARY-next"), "{log}");
}

#[test]
fn an_agent_that_says_nothing_is_asked_once_more() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let silent = "[ -e \"$HOME/asked\" ] || { touch \"$HOME/asked\"; exit 0; }; answer second";
    let task = create(&wtt, &format!("RUN: {silent}"), "doing");
    let (body, _) = patch(&wtt, id(&task), 0);
    assert_eq!((&body["status"], &body["output"]), (&"review".into(), &"second".into()), "{body}");
    // and not more than once
    let task = create(&wtt, "RUN: echo x >> \"$HOME/silent\"; exit 0", "doing");
    assert_eq!(patch(&wtt, id(&task), 0).0["status"], "blocked");
    assert_eq!(std::fs::read_to_string(home.path().join("silent")).unwrap().lines().count(), 2);
}

#[test]
fn a_review_that_is_read_after_its_run_is_not_carried_out_again() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: answer once", "doing");
    assert_eq!(patch(&wtt, id(&task), 0).0["status"], "review");
    until("an empty outbox", || home.outbox().is_empty());
    let text = format!("[TASK_REVIEW] action=reject task_id={} by=ana comment=RUN: answer again", id(&task));
    let message = json!({"id": "late", "topic_id": topic(&task), "sender_id": "user-ana", "sender_type": "human",
        "content": text, "semantic_type": "task_review", "created_at": "2026-01-01T00:00:00Z"});
    assert!(wtt.service.push_frame(AGENT, json!({"type": "new_message", "message": message})));
    until("the word on it", || connector.log().contains("newer than the review"));
    wtt.service.post_message(
        topic(&task),
        MessageAuthor::Human,
        &text,
        json!({"semantic_type": "task_review"}),
    );
    wtt.answer(topic(&task), "again");
    assert_eq!(home.runs().len(), 2);
}

#[test]
fn a_task_that_was_closed_while_the_connector_was_away_stays_closed() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: touch \"$HOME/begun\"; await never", "doing");
    home.wait_for("begun");
    connector.kill();
    Person::at(&wtt).does(&task, "review", &json!({"action": "approve"}));
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    wtt.answer(topic(&task), "interrupted");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.service.task(id(&task)).unwrap()["status"], "done");
}

#[test]
fn the_board_is_told_in_the_language_of_the_task() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task =
        wtt.service.create_task(json!({"title": "修复登录页面的错误提示", "description": "RUN: fail no",
        "status": "doing", "runner_agent_id": AGENT, "owner_agent_id": AGENT}));
    let (body, _) = patch(&wtt, id(&task), 0);
    let notes = body["notes"].as_str().unwrap();
    assert!(body["status"] == "blocked" && notes.chars().any(|c| ('一'..='龥').contains(&c)), "{body}");
}
