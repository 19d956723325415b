//! The changes of the state, one by one: what a line of the journal is. What they do is in `state.rs`. No IO.

use crate::store::permits::OpenAsk;
use crate::store::state::{Choice, OpenTurn, Parked, SessionRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One change. The journal holds them until the next snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_line_is_read_and_written_as_version_1_of_the_file_has_it() {
        let turn = json!({"topic_id": "t", "at": 5, "started": true, "zh": false, "into": "k2", "task": "T"});
        let parked = json!({"until": 7, "scope": "wtt:topic:t", "message": {"id": "m", "reply_to": null}});
        let row = json!({"used_at": 1, "opened_at": 2, "workdir": "/w", "codexThreadId": "id", "newer": [1]});
        let ask = json!({"topic_id": "t", "title": "touch", "zh": true});
        for line in [
            json!({"t": "accepted", "key": "k", "turn": turn}),
            json!({"t": "started", "key": "k"}),
            json!({"t": "finished", "key": "k"}),
            json!({"t": "heard", "at": -1}),
            json!({"t": "seen", "key": "k"}),
            json!({"t": "parked", "key": "k", "parked": parked}),
            json!({"t": "unparked", "key": "k"}),
            json!({"t": "session", "key": "k", "row": row}),
            json!({"t": "forget", "key": "k"}),
            json!({"t": "shelve", "key": "k"}),
            json!({"t": "used", "scope": "s", "adapter": "pi", "at": 9, "tokens": [3, 0, u64::MAX]}),
            json!({"t": "used", "scope": "s", "adapter": "pi", "at": 9, "tokens": null}),
            json!({"t": "asked", "key": "k", "ask": ask}),
            json!({"t": "closed", "key": "k"}),
            json!({"t": "grant", "key": "k", "grant": "codex: ls"}),
            json!({"t": "revoke", "key": "k"}),
            json!({"t": "decided", "decision": {"about": "x"}}),
            json!({"t": "answered", "key": "k", "answer": {"end": null}}),
            json!({"t": "answered", "key": "k", "answer": null}),
            json!({"t": "choose", "scope": "s", "choice": {"voice": false}}),
        ] {
            let record: Record = crate::json::parse(line.to_string()).unwrap();
            assert_eq!(serde_json::to_value(&record).unwrap(), line);
        }
    }

    #[test]
    fn a_line_that_lacks_what_it_needs_is_refused_without_its_text() {
        for line in [
            json!({"t": "hush", "key": "k"}),
            json!({"t": "finished"}),
            json!({"t": "finished", "key": null}),
            json!({"t": "accepted", "key": "k", "turn": {"topic_id": "hush"}}),
            json!({"t": "heard", "at": "hush"}),
            json!({"t": "used", "scope": "s", "adapter": "pi", "at": 9, "tokens": [1, 2]}),
        ] {
            let why = crate::json::parse::<Record>(line.to_string()).unwrap_err();
            assert!(!why.to_string().contains("hush"), "{line}: {why}");
        }
    }
}
