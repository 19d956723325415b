//! What was allowed for the session of a task is shown in the task's chat, and nowhere else.

use super::Stage;
use crate::support::daemon::AGENT;
use serde_json::json;

#[test]
fn status_counts_what_is_allowed_in_exactly_this_session() {
    let mut stage = Stage::new(&[]);
    let task =
        stage.wtt.service.create_task(json!({"title": "x", "status": "blocked", "runner_agent_id": AGENT}));
    let chat = std::mem::replace(&mut stage.topic, task["topic_id"].as_str().unwrap().to_owned());
    stage.say("RUN:bash 'touch one'; answer finished");
    let id = stage.question();
    stage.say(&format!("/approve {id} always"));
    stage.answer("finished");
    stage.say("/status");
    let status = stage.answer("on this host")["content"].as_str().unwrap().to_owned();
    assert!(status.contains("- allowed for this session: 1"), "{status}");
    stage.topic = chat;
    stage.say("/status");
    let status = stage.answer("on this host")["content"].as_str().unwrap().to_owned();
    assert!(!status.contains("allowed for this session"), "{status}");
}
