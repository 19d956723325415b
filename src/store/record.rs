//! The changes of the state: a line of the journal holds one. `state.rs` applies them. No IO.
//!
//! The names in the file are those of its version 1; where a variant or field got a better name, `rename` keeps the old one.

use crate::store::permissions::OpenPermissionRequest;
use crate::store::rows::{DeferredTurn, OpenTurn, SessionRow, TopicChoice};
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
    /// No message of the service was missed up to this time.
    #[serde(rename = "heard")]
    CaughtUp {
        /// Milliseconds since the epoch.
        at: i64,
    },
    /// A message was answered at once, without a turn.
    Seen {
        /// Message key.
        key: String,
    },
    /// A turn is deferred.
    #[serde(rename = "parked")]
    Deferred {
        /// Message key.
        key: String,
        /// The turn.
        #[serde(rename = "parked")]
        turn: DeferredTurn,
    },
    /// A deferred turn is run now, or dropped.
    #[serde(rename = "unparked")]
    DeferralEnded {
        /// Message key.
        key: String,
    },
    /// A native session was used.
    #[serde(rename = "session")]
    SessionUsed {
        /// Session key.
        key: String,
        /// Its row.
        row: SessionRow,
    },
    /// A native session is no longer to be resumed.
    #[serde(rename = "forget")]
    SessionForgotten {
        /// Session key.
        key: String,
    },
    /// A native session is no longer in use; people may go back to it.
    #[serde(rename = "shelve")]
    SessionArchived {
        /// Session key.
        key: String,
    },
    /// A turn of an agent has ended.
    #[serde(rename = "used")]
    TokensUsed {
        /// Its topic or task (`wtt:topic:<id>`).
        scope: String,
        /// The agent.
        adapter: String,
        /// When, milliseconds since the epoch.
        at: i64,
        /// Input, cached and output tokens, if the agent has reported them.
        tokens: Option<[u64; 3]>,
    },
    /// People are asked for a permission or an answer.
    #[serde(rename = "asked")]
    PermissionRequested {
        /// The id of the request.
        #[serde(rename = "key")]
        id: String,
        /// What closing it after a crash needs.
        #[serde(rename = "ask")]
        request: OpenPermissionRequest,
    },
    /// The request is closed.
    #[serde(rename = "closed")]
    PermissionRequestClosed {
        /// The id of the request.
        #[serde(rename = "key")]
        id: String,
    },
    /// People have allowed something for the session.
    #[serde(rename = "grant")]
    PermissionGranted {
        /// The scope (`wtt:topic:<id>`).
        #[serde(rename = "key")]
        scope: String,
        /// What; see `session/permissions/policy.rs`.
        grant: String,
    },
    /// The session of a scope has ended, and with it what was allowed for it.
    #[serde(rename = "revoke")]
    PermissionsRevoked {
        /// The scope (`wtt:topic:<id>`).
        #[serde(rename = "key")]
        scope: String,
    },
    /// A permission request was decided.
    #[serde(rename = "decided")]
    PermissionDecided {
        /// As `status` shows it.
        decision: Value,
    },
    /// A turn in the chat of a task has begun, has ended, or no longer matters.
    #[serde(rename = "answered")]
    TaskChatTurn {
        /// The task and the message; see `daemon/tasks/answered.rs`.
        key: String,
        /// When it began and how it ended; null removes the row.
        #[serde(rename = "answer")]
        turn: Value,
    },
    /// A choice was made in chat.
    #[serde(rename = "choose")]
    ChoiceMade {
        /// The scope (`wtt:topic:<id>`).
        scope: String,
        /// The choices that hold now; the default ones remove the row.
        choice: TopicChoice,
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
