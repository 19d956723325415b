//! Files of a task's run: cards in its topic, rows in the task, and the summary.

use super::{content, fetch, file, marker};
use crate::support::daemon::{AGENT, Connector, Home, Wtt, until};
use serde_json::{Value, json};
use wtt_connect::local::service::Faults;

/// A task whose run sends a file; as it is when it has come to review.
fn run(wtt: &Wtt, home: &Home) -> (String, Value) {
    file(home, "plan.md", b"# A plan");
    let said = format!("Done.\\n{}", marker("plan.md", "The plan"));
    let task =
        wtt.service.create_task(json!({"title": "Tidy up", "status": "doing", "runner_agent_id": AGENT,
        "owner_agent_id": AGENT, "description": format!("RUN: answer \"{said}\"")}));
    let topic = task["topic_id"].as_str().unwrap().to_owned();
    wtt.answer(&topic, "Done.");
    let now = || wtt.service.task(task["id"].as_str().unwrap()).unwrap();
    until("the review", || now()["status"] == "review");
    (topic, Value::Object(now()))
}

#[test]
fn the_files_of_a_run_are_in_its_task() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let (topic, task) = run(&wtt, &home);
    let card = wtt.answer(&topic, "[file:The plan](");
    let rows = task["artifacts"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["name"], &rows[0]["size"]), (&json!("plan.md"), &json!(8)));
    assert!(content(&card).contains(rows[0]["url"].as_str().unwrap()));
    assert!(!task["notes"].as_str().unwrap().contains("WTT_ARTIFACT_FILE"));
    until("the ledger", || super::ledger(&home).iter().any(|row| row["task_id"] == task["id"]));
}

#[test]
fn a_service_that_knows_no_artifacts_gets_the_rest_and_a_summary_goes_along_when_it_is_wanted() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { unknown_task_fields: vec!["artifacts".into()], ..Faults::default() });
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_UPLOAD_ARTIFACTS", "1")]);
    let (topic, task) = run(&wtt, &home);
    assert!(task["artifacts"].is_null());
    let card = wtt.answer(&topic, "[file:Summary: Tidy up](");
    let text = String::from_utf8(fetch(&wtt, content(&card))).unwrap();
    assert!(
        text.starts_with("# Tidy up\n") && text.contains("Done.") && text.contains("claude-code"),
        "{text}"
    );
    let chat = wtt.p2p();
    wtt.say(&chat, "RUN: answer chat");
    wtt.answer(&chat, "chat");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&chat).len(), 1, "not in a chat");
}
