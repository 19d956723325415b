//! Topic rows of `subscribed` (see TOPICS in wtt-connect-protocol(7)): what the catch-up after a reconnect needs of
//! them.

use crate::wire::lenient_json::{self, Object};
use crate::wire::message::{self, Message, TopicKind};
use crate::wire::timestamp;
use serde_json::Value;

/// Fields of a topic that complete its history rows, which may lack them.
const TELLING: [&str; 6] = ["id", "type", "name", "task_id", "task_title", "exec_mode"];

/// One topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: TopicKind,
    /// Last activity, milliseconds since the epoch, if the service states it.
    pub active_at: Option<i64>,
    /// The fields that complete its history rows.
    about: Object,
}

impl Topic {
    /// A topic of which only the id is known.
    pub fn bare(id: &str) -> Topic {
        Topic { id: id.to_owned(), kind: TopicKind::Unknown, active_at: None, about: Object::new() }
    }

    /// Decodes a row of the history of this topic, which may lack topic and kind.
    pub fn message(&self, row: &Value) -> Option<Message> {
        let mut row = row.as_object()?.clone();
        row.entry("topic_id").or_insert_with(|| self.id.clone().into());
        if !self.about.is_empty() {
            row.entry("topic").or_insert_with(|| Value::Object(self.about.clone()));
        }
        Message::decode(&Value::Object(row)).ok()
    }
}

/// The topics of a `subscribed` result: an array, or an object with the array under `topics`, `items` or `data`.
pub fn topics(data: &Value) -> Vec<Topic> {
    let rows = ["topics", "items", "data"].iter().find_map(|key| data.get(*key)).unwrap_or(data);
    rows.as_array().into_iter().flatten().filter_map(topic).collect()
}

fn topic(row: &Value) -> Option<Topic> {
    let row = row.as_object()?;
    let id = lenient_json::text(row, &["id", "topic_id"])?;
    let mut about = Object::new();
    about.extend(TELLING.iter().filter_map(|key| Some(((*key).to_owned(), row.get(*key)?.clone()))));
    let active_at = ["last_activity_at", "last_message_at", "updated_at"]
        .iter()
        .find_map(|key| row.get(*key).and_then(timestamp::millis));
    Some(Topic { id, kind: message::kind_of_topic(&about), active_at, about })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_of_any_shape_and_history_rows_that_say_little() {
        let p2p = json!({"id": "t1", "type": "P2P", "last_activity_at": "2026-04-01T08:00:00Z"});
        let task = json!({"id": "t2", "type": "discussion", "name": "TASK-0a1b2c3d Build", "task_id": "k"});
        for data in [json!([p2p, task]), json!({"topics": [p2p, task]}), json!({"data": [p2p, task, 3]})] {
            let found = topics(&data);
            assert_eq!(found.iter().map(|t| t.kind).collect::<Vec<_>>(), [TopicKind::P2p, TopicKind::Task]);
            assert_eq!(found[0].active_at, Some(1_775_030_400_000));
            let row =
                json!({"message_id": "m", "sender_id": "u", "sender_type": "human", "content": "hi", "x": 1});
            let message = found[0].message(&row).unwrap();
            assert_eq!((message.topic_kind, message.topic_id.as_str()), (TopicKind::P2p, "t1"));
            assert_eq!(found[1].message(&row).unwrap().task_id.as_deref(), Some("k"));
            assert_eq!(Topic::bare("t9").message(&row).unwrap().topic_kind, TopicKind::Unknown);
        }
        assert!(topics(&json!(null)).is_empty() && topics(&json!({"x": []})).is_empty());
    }
}
