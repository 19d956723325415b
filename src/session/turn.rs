//! A turn: the answer to one accepted message. One owner, a closed set of states, exactly one terminal outcome.
//!
//! Pure. The owner is the session's worker; ending consumes the turn, so a second end does not compile.

use crate::agent::outcome::Reason;
use std::fmt;

/// Number of a turn, unique as long as this process lives: 1 is the first. Events of a turn carry it, so that those of
/// a turn that has ended meanwhile can be dropped. It is never stored: a restart counts anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TurnId(u64);

impl TurnId {
    /// The number of the next turn. The first turn follows the default, 0, which is no turn's.
    #[must_use]
    pub fn next(self) -> TurnId {
        TurnId(self.0 + 1)
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a live turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On disk, not yet begun.
    Queued,
    /// Its agent is being started or runs.
    Running,
}

/// How a turn ended: what became of the user's message. Compare [`crate::agent::outcome::AgentOutcome`], which says what
/// became of the agent's work, if one was started.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEnd {
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

impl TurnEnd {
    /// The word for logs.
    pub fn word(&self) -> &'static str {
        match self {
            TurnEnd::Done => "done",
            TurnEnd::Failed(reason) => reason.word(),
            TurnEnd::Cancelled => "cancelled",
            TurnEnd::Interrupted { .. } => "interrupted",
            TurnEnd::Refused => "refused",
            TurnEnd::Parked { .. } => "parked",
        }
    }
}

/// A live turn.
#[derive(Debug)]
pub struct Turn {
    key: String,
    turn_id: TurnId,
    state: State,
}

/// An ended turn: what is left is its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedTurn {
    /// Message key.
    pub key: String,
    /// Number of the turn in this process; events of older turns are dropped by it.
    pub turn_id: TurnId,
    /// How it ended.
    pub end: TurnEnd,
}

impl Turn {
    /// An accepted message takes its place in the mailbox.
    pub fn queued(key: String, turn_id: TurnId) -> Turn {
        Turn { key, turn_id, state: State::Queued }
    }

    /// Message key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Number of the turn in this process.
    pub fn turn_id(&self) -> TurnId {
        self.turn_id
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
    pub fn end(self, end: TurnEnd) -> EndedTurn {
        EndedTurn { key: self.key, turn_id: self.turn_id, end }
    }
}
