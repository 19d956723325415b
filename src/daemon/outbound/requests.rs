//! Open requests to the service: each has an id, a time limit and exactly one outcome. Pure but for the ids.

use crate::wire::assumed::REQUEST_TIMEOUT;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Part `part` of outbox entry `seq`.
    Publish { seq: u64, part: usize },
    /// The history, to find out whether a part of entry `seq` has arrived.
    Lookup { seq: u64 },
    /// The history, for the files of a message that came without: look-up `number`.
    Attachments { number: u64 },
    /// Messages that were missed.
    Poll,
    /// The topics of this agent.
    Topics,
    /// The history of topic number `topic` of the catch-up.
    Missed { topic: usize },
}

/// The table of open requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: HashMap<String, Purpose>,
    /// Ids by deadline. One limit for all keeps the queue sorted by itself.
    queue: VecDeque<(Instant, String)>,
    counter: u64,
}

impl Requests {
    /// An id for a request whose answer does not matter (typing, progress).
    pub(crate) fn untracked(&mut self, action: &str) -> String {
        self.counter += 1;
        format!("{action}-{}", self.counter)
    }

    /// Opens a request.
    pub(crate) fn open(&mut self, action: &str, purpose: Purpose, now: Instant) -> String {
        let id = format!("{}-{}", self.untracked(action), crate::sys::id::hex());
        self.open.insert(id.clone(), purpose);
        self.queue.push_back((now + REQUEST_TIMEOUT, id.clone()));
        id
    }

    /// An answer came. None for unknown, late or untracked ids.
    pub(crate) fn settle(&mut self, id: &str) -> Option<Purpose> {
        let purpose = self.open.remove(id);
        while self.queue.front().is_some_and(|(_, id)| !self.open.contains_key(id)) {
            self.queue.pop_front();
        }
        purpose
    }

    /// Takes the requests whose answer did not come in time.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<Purpose> {
        let mut out = Vec::new();
        while self.queue.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, id)) = self.queue.pop_front() {
                out.extend(self.open.remove(&id));
            }
        }
        out
    }

    /// The connection is gone: all of them failed.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.queue.clear();
    }

    /// When to call [`Requests::expired`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }
}
