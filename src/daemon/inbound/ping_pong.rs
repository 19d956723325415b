//! Keeps two agents from answering each other for ever (confirmed, see AGENT LOOPS in
//! wtt-connect-protocol(7)). Pure.

use crate::wire::assumed::{AGENT_REPLY_GAP, AGENT_REPLY_RUN};
use std::collections::HashMap;
use std::time::Instant;

/// Topics remembered; over it the table starts anew, which only loosens the guard for a moment.
const TOPICS: usize = 10_000;

/// Counts answers to agents, per topic.
#[derive(Debug, Default)]
pub(super) struct PingPong {
    topics: HashMap<String, (u32, Instant)>,
}

impl PingPong {
    /// A person spoke: agents may be answered again.
    pub(super) fn on_person(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// An agent addresses this agent: the reason not to answer, or none (and the answer is counted).
    pub(super) fn on_agent(&mut self, topic: &str, now: Instant) -> Option<&'static str> {
        if self.topics.len() > TOPICS {
            self.topics.clear();
        }
        match self.topics.get_mut(topic) {
            Some((count, _)) if *count >= AGENT_REPLY_RUN => {
                Some("two answers to agents in a row; waiting for a person")
            }
            Some((_, last)) if now < *last + AGENT_REPLY_GAP => {
                Some("an agent was answered less than 15 s ago")
            }
            Some((count, last)) => {
                *count += 1;
                *last = now;
                None
            }
            None => {
                self.topics.insert(topic.to_owned(), (1, now));
                None
            }
        }
    }
}
