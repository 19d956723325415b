//! The changes of the state, one by one: what a line of the journal is. What they do is in `state.rs`. No IO.

use crate::store::fields::{self, Fields, Wrong};
use crate::store::ledger;
use crate::store::permits::OpenAsk;
use crate::store::state::{Choice, OpenTurn, Parked, SessionRow};
use serde::Serialize;
use serde_json::Value;

/// One change. The journal holds them until the next snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Record {
    /// A message will be answered; must be on disk before it is run.
    Accepted {
        /// Message key.
        key: String,
        /// Its turn.
        turn: OpenTurn,
    },
    /// An agent was started for it.
    Started {
        /// Message key.
        key: String,
    },
    /// Its reply is in the outbox.
    Finished {
        /// Message key.
        key: String,
    },
    /// Up to here nothing was missed.
    Heard {
        /// Milliseconds since the epoch.
        at: i64,
    },
    /// A message was dealt with on the spot.
    Seen {
        /// Message key.
        key: String,
    },
    /// A turn is put off.
    Parked {
        /// Message key.
        key: String,
        /// The turn.
        parked: Parked,
    },
    /// A turn that was put off is run now, or dropped.
    Unparked {
        /// Message key.
        key: String,
    },
    /// A native session was used.
    Session {
        /// Session key.
        key: String,
        /// Its row.
        row: SessionRow,
    },
    /// A native session is no longer to be resumed.
    Forget {
        /// Session key.
        key: String,
    },
    /// A native session is put aside; people may go back to it.
    Shelve {
        /// Session key.
        key: String,
    },
    /// A turn of an agent has ended.
    Used {
        /// Its topic or task (`wtt:topic:<id>`).
        scope: String,
        /// The agent.
        adapter: String,
        /// When, milliseconds since the epoch.
        at: i64,
        /// Input, cached and output tokens, if it has told them.
        tokens: Option<[u64; 3]>,
    },
    /// People are asked.
    Asked {
        /// Its id.
        key: String,
        /// The question.
        ask: OpenAsk,
    },
    /// The question is closed.
    Closed {
        /// Its id.
        key: String,
    },
    /// People have allowed something for the session.
    Grant {
        /// Scope.
        key: String,
        /// What; see `session/permissions/policy.rs`.
        grant: String,
    },
    /// The session of a scope is over, and what was allowed for it.
    Revoke {
        /// Scope.
        key: String,
    },
    /// A decision on what an agent asked.
    Decided {
        /// As `status` shows it.
        decision: Value,
    },
    /// A turn in a task's chat has begun, has ended, or does not matter any more.
    Answered {
        /// The task and the message; see `daemon/tasks/answered.rs`.
        key: String,
        /// How it ended; null removes it.
        answer: Value,
    },
    /// A choice was made in chat.
    Choose {
        /// Scope.
        scope: String,
        /// The choice; the default one removes it.
        choice: Choice,
    },
}

impl Record {
    /// Reads a line of the journal.
    pub(crate) fn read(mut fields: Fields) -> Result<Record, Wrong> {
        let kind = fields.need("t", fields::text)?;
        let key = fields.take("key", fields::text)?.ok_or("`key` is missing");
        Ok(match kind.as_str() {
            "accepted" => Record::Accepted { key: key?, turn: OpenTurn::read(fields.inner("turn")?)? },
            "started" => Record::Started { key: key? },
            "finished" => Record::Finished { key: key? },
            "asked" => Record::Asked { key: key?, ask: OpenAsk::read(fields.inner("ask")?)? },
            "closed" => Record::Closed { key: key? },
            "grant" => Record::Grant { key: key?, grant: fields.need("grant", fields::text)? },
            "revoke" => Record::Revoke { key: key? },
            "decided" => Record::Decided { decision: fields.need("decision", Some)? },
            "answered" => Record::Answered { key: key?, answer: fields.need("answer", Some)? },
            "seen" => Record::Seen { key: key? },
            "session" => Record::Session { key: key?, row: SessionRow::read(fields.inner("row")?)? },
            "parked" => Record::Parked { key: key?, parked: Parked::read(fields.inner("parked")?)? },
            "unparked" => Record::Unparked { key: key? },
            "forget" => Record::Forget { key: key? },
            "shelve" => Record::Shelve { key: key? },
            "used" => Record::Used {
                scope: fields.need("scope", fields::text)?,
                adapter: fields.need("adapter", fields::text)?,
                at: fields.need("at", fields::time)?,
                tokens: fields.take("tokens", ledger::three)?,
            },
            "heard" => Record::Heard { at: fields.need("at", fields::time)? },
            "choose" => {
                let choice = Choice::read(fields.inner("choice")?)?;
                Record::Choose { scope: fields.need("scope", fields::text)?, choice }
            }
            _ => return Err(format!("`{kind}` is no kind of record")),
        })
    }
}
