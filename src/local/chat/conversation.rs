//! The state of a conversation with the agent: what was asked and not yet answered. Pure.

use serde_json::{Map, Value};

/// What a reply is, as the connector marks it (`metadata.outcome`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// An answer.
    Done,
    /// Failed, deferred, or cut off by a restart.
    Failed,
    /// Stopped by the user.
    Cancelled,
    /// A text of the connector itself, about no turn.
    Notice,
    /// The agent asks for permission; its turn goes on.
    PermissionRequest,
}

/// One visible message of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPost {
    /// Its text.
    pub text: String,
    /// What kind of reply it is.
    pub outcome: ReplyOutcome,
}

/// The messages that were sent, until each is answered.
#[derive(Debug, Default)]
pub struct Conversation {
    /// Ids of messages without a complete answer.
    pending: Vec<String>,
    /// The message whose reply has begun, and the outcome of that reply.
    open_reply: Option<(String, ReplyOutcome)>,
}

fn text<'a>(row: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_str)
}

impl Conversation {
    /// Adds a message that must be answered: by a turn, or by a notice if it is a command.
    pub fn add_sent(&mut self, message_id: String) {
        self.pending.push(message_id);
    }

    /// Whether an answer is awaited.
    pub fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes a message of the topic into account. Returns it if it is one of the agent that a person would see.
    pub fn add_message(&mut self, agent_id: &str, row: &Map<String, Value>) -> Option<AgentPost> {
        let is_visible =
            text(row, "sender_id") == Some(agent_id) && text(row, "semantic_type") == Some("post");
        let content = text(row, "content").filter(|_| is_visible)?;
        let outcome = match row.get("metadata").and_then(|m| m.get("outcome")).and_then(Value::as_str) {
            Some("failed" | "interrupted" | "parked") => ReplyOutcome::Failed,
            Some("cancelled") => ReplyOutcome::Cancelled,
            Some("notice") => ReplyOutcome::Notice,
            Some("question") => ReplyOutcome::PermissionRequest,
            _ => ReplyOutcome::Done,
        };
        // Later parts of a long reply carry no `reply_to`: they belong to the same turn.
        if let Some(asked) = text(row, "reply_to").filter(|id| self.pending.iter().any(|p| p == id)) {
            if outcome == ReplyOutcome::Notice {
                // Complete in itself: a running turn goes on, and it alone stops the typing.
                self.pending.retain(|p| p != asked);
            } else {
                // The stop between two turns is left out if the second one was already waiting.
                self.typing_stopped();
                self.open_reply = Some((asked.to_owned(), outcome));
            }
        }
        Some(AgentPost { text: content.to_owned(), outcome })
    }

    /// The agent has begun to work: on the next turn, if an answer has been seen and another one is awaited.
    pub fn typing_started(&mut self) {
        if self.pending.len() > 1 {
            self.typing_stopped();
        }
    }

    /// Removes the message that was sent last: the connector refused it and will not answer it.
    pub fn remove_refused(&mut self) {
        self.pending.pop();
    }

    /// The agent has stopped typing, so the reply that came before is complete. Its outcome, if there was one.
    pub fn typing_stopped(&mut self) -> Option<ReplyOutcome> {
        let (asked, outcome) = self.open_reply.take()?;
        self.pending.retain(|p| *p != asked);
        Some(outcome)
    }

    /// Whether a reply has begun whose end was not seen yet.
    pub fn is_reply_open(&self) -> bool {
        self.open_reply.is_some()
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
        let mut conversation = Conversation::default();
        conversation.add_sent("m1".into());
        assert_eq!(conversation.typing_stopped(), None);
        assert!(conversation.add_message("a", &row("a", Some("m1"), "failed")).is_some());
        assert!(conversation.add_message("a", &row("a", None, "failed")).is_some());
        assert!(conversation.is_busy() && conversation.is_reply_open());
        assert_eq!(conversation.typing_stopped(), Some(ReplyOutcome::Failed));
        assert!(!conversation.is_busy());
    }

    #[test]
    fn a_notice_neither_ends_nor_hides_the_running_turn() {
        let mut conversation = Conversation::default();
        conversation.add_sent("turn".into());
        conversation.add_sent("status".into());
        assert!(conversation.add_message("a", &row("a", Some("status"), "notice")).is_some());
        assert!(conversation.is_busy() && !conversation.is_reply_open());
        assert!(conversation.add_message("a", &row("a", Some("turn"), "done")).is_some());
        assert_eq!(conversation.typing_stopped(), Some(ReplyOutcome::Done));
        assert!(!conversation.is_busy());
    }

    #[test]
    fn a_turn_ends_where_the_next_one_begins() {
        for with_status in [true, false] {
            let mut conversation = Conversation::default();
            conversation.add_sent("m1".into());
            conversation.add_sent("m2".into());
            conversation.add_message("a", &row("a", Some("m1"), "done"));
            if with_status {
                conversation.typing_started();
                assert!(conversation.is_busy() && !conversation.is_reply_open());
            }
            conversation.add_message("a", &row("a", Some("m2"), "parked"));
            conversation.typing_started();
            assert_eq!(conversation.typing_stopped(), Some(ReplyOutcome::Failed));
            assert!(!conversation.is_busy());
        }
    }

    #[test]
    fn own_messages_end_nothing() {
        let mut conversation = Conversation::default();
        conversation.add_sent("m1".into());
        assert_eq!(conversation.add_message("a", &row("user", None, "done")), None);
        assert!(conversation.add_message("a", &row("a", Some("other"), "done")).is_some());
        assert_eq!(conversation.typing_stopped(), None);
        assert!(conversation.is_busy());
    }
}
