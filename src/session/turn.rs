//! A turn: the answer to one accepted message. One owner, a closed set of states, exactly one terminal outcome.
//!
//! Pure. The owner is the session's worker; ending consumes the turn, so a second end does not compile.

use crate::agent::outcome::Reason;

/// Where a live turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On disk, not yet begun.
    Queued,
    /// Its agent is being started or runs.
    Running,
}

/// The terminal outcome of a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Answered.
    Done,
    /// Failed, with the reason.
    Failed(Reason),
    /// Stopped by the user.
    Cancelled,
    /// Cut by a shutdown; `started` tells whether an agent had begun.
    Interrupted {
        /// Whether an agent was started.
        started: bool,
    },
    /// Never begun, because of a setting.
    Refused,
    /// Put off until a usage limit resets; then it is a new turn.
    Parked {
        /// Milliseconds since the epoch.
        until: i64,
    },
}

impl End {
    /// The word for logs.
    pub fn word(&self) -> &'static str {
        match self {
            End::Done => "done",
            End::Failed(reason) => reason.word(),
            End::Cancelled => "cancelled",
            End::Interrupted { .. } => "interrupted",
            End::Refused => "refused",
            End::Parked { .. } => "parked",
        }
    }
}

/// A live turn.
#[derive(Debug)]
pub struct Turn {
    key: String,
    generation: u64,
    state: State,
}

/// An ended turn: what is left is its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Message key.
    pub key: String,
    /// Number of the turn in this process; events of older turns are dropped by it.
    pub generation: u64,
    /// How it ended.
    pub end: End,
}

impl Turn {
    /// An accepted message takes its place in the mailbox.
    pub fn queued(key: String, generation: u64) -> Turn {
        Turn { key, generation, state: State::Queued }
    }

    /// Message key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Number of the turn in this process.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The worker takes it up.
    pub fn begin(&mut self) {
        if self.state == State::Queued {
            self.state = State::Running;
        }
    }

    /// The only way out.
    pub fn end(self, end: End) -> Ended {
        Ended { key: self.key, generation: self.generation, end }
    }
}
