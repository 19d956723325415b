//! The protocol as pure functions: what is answered, what the agent is told, what the reader sees.

mod gating;
mod manual;
mod mutation;
mod prompt;
mod reply;
mod route;

use serde_json::{Value, json};
use wtt_connect::wire::identity::Identity;
use wtt_connect::wire::intake::{Job, Verdict, intake};
use wtt_connect::wire::message::Message;

/// This agent, in all tests of this folder.
const ME: &str = "agent-aaaabbbbcccc";

fn identity() -> Identity {
    Identity {
        agent_id: ME.into(),
        display_name: Some("Alice Codex".into()),
        aliases: vec!["builder".into(), "小明".into()],
    }
}

/// A message of a person, changed by `patch` (null removes a field).
fn message(patch: &Value) -> Value {
    let mut row = json!({"id": "m1", "topic_id": "t1", "sender_id": "user_9", "sender_type": "human",
        "sender_display_name": "Ana", "content": "hello", "content_type": "text", "semantic_type": "post",
        "created_at": "2026-04-01T08:00:00Z", "topic_type": "p2p"});
    let fields = row.as_object_mut().unwrap();
    for (key, value) in patch.as_object().unwrap() {
        match value {
            Value::Null => fields.remove(key),
            value => fields.insert(key.clone(), value.clone()),
        };
    }
    row
}

fn verdict(patch: &Value) -> Verdict {
    intake(&Message::decode(&message(patch)).unwrap(), &identity())
}

fn job(patch: &Value) -> Job {
    match verdict(patch) {
        Verdict::Run(job) => *job,
        Verdict::Ignore(why) => panic!("{patch} ignored: {why}"),
    }
}
