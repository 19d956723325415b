//! What a session reports to the hub. Plain data.

use crate::agent::Usage;
use crate::agent::permission::{Decision, PermissionRequest};
use crate::agent::runner::SteerOutcome;
use crate::session::turn::{EndedTurn, TurnId};
use crate::store::outbox::OutboxEntry;
use crate::store::state::SessionRow;
use crate::wire::intake::Scope;
use crate::wire::outgoing::TypingStatus;

/// What workers report to the hub.
#[derive(Debug)]
pub enum SessionEvent {
    /// A turn was taken out of the mailbox.
    TurnStarted {
        /// Its session.
        scope: Scope,
        /// Number of the turn.
        turn_id: TurnId,
    },
    /// Progress for the topic's status card.
    Status {
        /// Topic.
        topic_id: String,
        /// Number of the turn.
        turn_id: TurnId,
        /// What to show.
        status: TypingStatus,
    },
    /// The agent waits for people.
    Asked(Box<AskedPermission>),
    /// The agent does not wait for this any more.
    Withdrawn {
        /// Number of the turn.
        turn_id: TurnId,
        /// The agent's id of the question.
        id: String,
    },
    /// A question was decided by a rule.
    Decided {
        /// The question; its id is of no use any more.
        asked: Box<AskedPermission>,
        /// The decision.
        decision: Decision,
    },
    /// The session is over, and what was allowed for it.
    Revoke {
        /// Its scope.
        scope: Scope,
    },
    /// A native session id to keep.
    Remember {
        /// Session key.
        key: String,
        /// Row.
        row: SessionRow,
    },
    /// A native session that must not be resumed.
    Forget {
        /// Session key.
        key: String,
    },
    /// A native session that is not to be gone on with, unless people ask for it.
    SetAside {
        /// Session key.
        key: String,
    },
    /// What became of a further message for the running turn.
    Steered {
        /// Its session.
        scope: Scope,
        /// Key of the message.
        key: String,
        /// What became of it.
        fate: SteerOutcome,
    },
    /// An agent has worked.
    Used {
        /// Its session.
        scope: Scope,
        /// The agent.
        adapter: &'static str,
        /// What it has told of its tokens.
        usage: Option<Usage>,
    },
    /// An answer was spoken: the entry that brings the sound.
    Spoken {
        /// It, in the outbox.
        entry: Box<OutboxEntry>,
    },
    /// The turn is over; its reply is in the outbox.
    Ended {
        /// Its session.
        scope: Scope,
        /// The outcome.
        ended: EndedTurn,
        /// The reply.
        entry: Box<OutboxEntry>,
        /// False when the disk refused the outbox file; the reply then lives in memory only.
        on_disk: bool,
    },
}

/// A question of an agent, with where it comes from.
#[derive(Debug, Clone)]
pub struct AskedPermission {
    /// Its session.
    pub scope: Scope,
    /// Topic.
    pub topic_id: String,
    /// Number of the turn.
    pub turn_id: TurnId,
    /// The adapter, for people.
    pub who: &'static str,
    /// The question.
    pub ask: PermissionRequest,
    /// Why people are asked, or by which rule it was decided.
    pub rule: String,
    /// What "for this session" would allow.
    pub grant: Option<String>,
}
