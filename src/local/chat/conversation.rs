//! The state of a conversation with the agent: what was asked and not yet answered. Pure.

use serde_json::{Map, Value};

/// What a reply is, as the connector marks it (`metadata.outcome`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Done,
    /// Failed, put off, or cut by a restart.
    Failed,
    /// Stopped by the user.
    Cancelled,
    /// The connector's own words, about no turn.
    Notice,
    /// The agent asks something; its turn goes on.
    Question,
}

/// One visible message of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its text.
    pub text: String,
    /// It is about this outcome.
    pub outcome: Outcome,
}

/// Messages on their way.
#[derive(Debug, Default)]
pub struct Talk {
    pending: Vec<String>,
    answered: Option<(String, Outcome)>,
}

fn text<'a>(row: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_str)
}

impl Talk {
    /// A message was sent that must be answered: by a turn, or by a notice where it is a command.
    pub fn sent(&mut self, message_id: String) {
        self.pending.push(message_id);
    }

    /// Whether an answer is awaited.
    pub fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// A message of the topic. Some, when it is one of the agent that a person would see.
    pub fn message(&mut self, agent_id: &str, row: &Map<String, Value>) -> Option<Post> {
        let visible = text(row, "sender_id") == Some(agent_id) && text(row, "semantic_type") == Some("post");
        let content = text(row, "content").filter(|_| visible)?;
        let outcome = match row.get("metadata").and_then(|m| m.get("outcome")).and_then(Value::as_str) {
            Some("failed" | "interrupted" | "parked") => Outcome::Failed,
            Some("cancelled") => Outcome::Cancelled,
            Some("notice") => Outcome::Notice,
            Some("question") => Outcome::Question,
            _ => Outcome::Done,
        };
        // Later parts of a long reply carry no `reply_to`: they belong to the same turn.
        if let Some(asked) = text(row, "reply_to").filter(|id| self.pending.iter().any(|p| p == id)) {
            if outcome == Outcome::Notice {
                // Complete in itself: a turn that runs goes on, and it alone stops the typing.
                self.pending.retain(|p| p != asked);
            } else {
                // The stop between two turns is left out when the second one was already waiting.
                self.stopped_typing();
                self.answered = Some((asked.to_owned(), outcome));
            }
        }
        Some(Post { text: content.to_owned(), outcome })
    }

    /// The agent is at work: on the next turn, when an answer has been seen and another one is awaited.
    pub fn started_typing(&mut self) {
        if self.pending.len() > 1 {
            self.stopped_typing();
        }
    }

    /// The connector did not take the last message, and will not answer it.
    pub fn refused(&mut self) {
        self.pending.pop();
    }

    /// The agent stopped typing: the reply that came before it is complete. Its outcome, if there was one.
    pub fn stopped_typing(&mut self) -> Option<Outcome> {
        let (asked, outcome) = self.answered.take()?;
        self.pending.retain(|p| *p != asked);
        Some(outcome)
    }

    /// A reply has begun and its end was not seen yet.
    pub fn is_ending(&self) -> bool {
        self.answered.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(sender: &str, reply_to: Option<&str>, outcome: &str) -> Map<String, Value> {
        let row = json!({"sender_id": sender, "semantic_type": "post", "content": "x", "reply_to": reply_to,
            "metadata": {"outcome": outcome}});
        row.as_object().cloned().expect("an object")
    }

    #[test]
    fn a_long_answer_ends_when_typing_stops() {
        let mut talk = Talk::default();
        talk.sent("m1".into());
        assert_eq!(talk.stopped_typing(), None);
        assert!(talk.message("a", &row("a", Some("m1"), "failed")).is_some());
        assert!(talk.message("a", &row("a", None, "failed")).is_some());
        assert!(talk.is_busy() && talk.is_ending());
        assert_eq!(talk.stopped_typing(), Some(Outcome::Failed));
        assert!(!talk.is_busy());
    }

    #[test]
    fn a_notice_neither_ends_nor_hides_the_running_turn() {
        let mut talk = Talk::default();
        talk.sent("turn".into());
        talk.sent("status".into());
        assert!(talk.message("a", &row("a", Some("status"), "notice")).is_some());
        assert!(talk.is_busy() && !talk.is_ending());
        assert!(talk.message("a", &row("a", Some("turn"), "done")).is_some());
        assert_eq!(talk.stopped_typing(), Some(Outcome::Done));
        assert!(!talk.is_busy());
    }

    #[test]
    fn a_turn_ends_where_the_next_one_begins() {
        for with_status in [true, false] {
            let mut talk = Talk::default();
            talk.sent("m1".into());
            talk.sent("m2".into());
            talk.message("a", &row("a", Some("m1"), "done"));
            if with_status {
                talk.started_typing();
                assert!(talk.is_busy() && !talk.is_ending());
            }
            talk.message("a", &row("a", Some("m2"), "parked"));
            talk.started_typing();
            assert_eq!(talk.stopped_typing(), Some(Outcome::Failed));
            assert!(!talk.is_busy());
        }
    }

    #[test]
    fn own_messages_end_nothing() {
        let mut talk = Talk::default();
        talk.sent("m1".into());
        assert_eq!(talk.message("a", &row("user", None, "done")), None);
        assert!(talk.message("a", &row("a", Some("other"), "done")).is_some());
        assert_eq!(talk.stopped_typing(), None);
        assert!(talk.is_busy());
    }
}
