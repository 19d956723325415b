//! The state of a profile as plain data, and how a journal record changes it. No IO.
//!
//! Unknown fields are kept, so that a newer file survives an older binary's rewrite.

use crate::list::Table;
use crate::store::fields::{self, Fields, Wrong};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BinaryHeap, HashSet, VecDeque};

/// Version of the file format that this program writes.
pub const VERSION: u64 = 1;
/// How many message keys are remembered for "seen before": days of a busy agent, about 300 KiB of file.
pub const SEEN_LIMIT: usize = 4096;
/// Sessions kept; the least recently used go first. A row is about 200 bytes.
pub const SESSION_LIMIT: usize = 20_000;

/// A session that was last used a year before the newest one is forgotten: the CLIs keep theirs for a month or so. Not by
/// the clock, which may be wrong. In milliseconds.
const SESSION_AGE: i64 = 365 * 24 * 3600 * 1000;

/// The whole state.
#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// File format.
    pub version: u64,
    /// Number of the last journal record that this snapshot contains.
    pub journal: u64,
    /// Up to here (milliseconds since the epoch) no message of the service was missed.
    pub heard_at: i64,
    /// Native sessions by session key (`wtt:topic:<id>:<adapter>:<model>:<effort>`).
    pub sessions: Table<SessionRow>,
    /// Choices made in chat, by scope (`wtt:topic:<id>`).
    pub choices: Table<Choice>,
    /// Accepted and not finished, by message key.
    pub open: Table<OpenTurn>,
    /// Turns that are put off until a usage limit resets, by message key.
    pub parked: Table<Parked>,
    /// Message keys, oldest first.
    pub seen: VecDeque<String>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
    #[serde(skip)]
    seen_set: HashSet<String>,
}

/// One native session.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SessionRow {
    /// Last use, milliseconds since the epoch.
    pub used_at: i64,
    /// The workdir that the native session belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workdir: String,
    /// Thread totals reported last, for CLIs that count per thread; the session layer knows the shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_total: Option<Value>,
    /// Native ids under the names of the README (`codexThreadId`, `claudeSessionId`), and unknown fields.
    #[serde(flatten)]
    pub ids: Map<String, Value>,
}

impl SessionRow {
    fn read(mut fields: Fields) -> Result<SessionRow, Wrong> {
        Ok(SessionRow {
            used_at: fields.take("used_at", fields::time)?.unwrap_or_default(),
            workdir: fields.take("workdir", fields::text)?.unwrap_or_default(),
            usage_total: fields.take("usage_total", Some)?,
            ids: fields.rest(),
        })
    }

    /// The native id stored under an adapter's key.
    pub fn id(&self, key: &str) -> Option<&str> {
        self.ids.get(key).and_then(Value::as_str).filter(|s| !s.is_empty())
    }
}

/// What people chose for a topic or task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// `/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Reasoning effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
}

impl Choice {
    fn read(mut fields: Fields) -> Result<Choice, Wrong> {
        Ok(Choice {
            model: fields.take("model", fields::text)?,
            effort: fields.take("effort", fields::text)?,
        })
    }
}

/// A message that was accepted and has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenTurn {
    /// Where the answer goes.
    pub topic_id: String,
    /// The message to reply to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// When it was accepted, milliseconds since the epoch.
    pub at: i64,
    /// Whether an agent was started for it.
    pub started: bool,
}

impl OpenTurn {
    fn read(mut fields: Fields) -> Result<OpenTurn, Wrong> {
        Ok(OpenTurn {
            topic_id: fields.need("topic_id", fields::text)?,
            reply_to: fields.take("reply_to", fields::text)?,
            at: fields.need("at", fields::time)?,
            started: fields.take("started", fields::flag)?.unwrap_or_default(),
        })
    }
}

/// A message whose turn is put off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parked {
    /// When it is run again, milliseconds since the epoch.
    pub until: i64,
    /// Its session (`wtt:topic:<id>`).
    pub scope: String,
    /// The message as it came.
    pub message: Value,
}

impl Parked {
    fn read(mut fields: Fields) -> Result<Parked, Wrong> {
        Ok(Parked {
            until: fields.need("until", fields::time)?,
            scope: fields.need("scope", fields::text)?,
            message: fields.need("message", Some)?,
        })
    }
}

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
            "seen" => Record::Seen { key: key? },
            "session" => Record::Session { key: key?, row: SessionRow::read(fields.inner("row")?)? },
            "parked" => Record::Parked { key: key?, parked: Parked::read(fields.inner("parked")?)? },
            "unparked" => Record::Unparked { key: key? },
            "forget" => Record::Forget { key: key? },
            "heard" => Record::Heard { at: fields.need("at", fields::time)? },
            "choose" => {
                let choice = Choice::read(fields.inner("choice")?)?;
                Record::Choose { scope: fields.need("scope", fields::text)?, choice }
            }
            _ => return Err(format!("`{kind}` is no kind of record")),
        })
    }
}

impl State {
    /// Reads a snapshot.
    pub(crate) fn read(mut fields: Fields) -> Result<State, Wrong> {
        Ok(State {
            version: fields.take("version", fields::count)?.unwrap_or_default(),
            journal: fields.take("journal", fields::count)?.unwrap_or_default(),
            heard_at: fields.take("heard_at", fields::time)?.unwrap_or_default(),
            sessions: fields.table("sessions", SessionRow::read)?,
            choices: fields.table("choices", Choice::read)?,
            open: fields.table("open", OpenTurn::read)?,
            parked: fields.table("parked", Parked::read)?,
            seen: fields.texts("seen")?.into(),
            extra: fields.rest(),
            seen_set: HashSet::new(),
        })
    }

    /// Rebuilds what is not stored. Call once after loading.
    pub fn index(&mut self) {
        self.seen_set = self.seen.iter().cloned().collect();
    }

    /// Whether a message key was met before.
    pub fn has_seen(&self, key: &str) -> bool {
        self.seen_set.contains(key)
    }

    /// Carries a record out.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Heard { at } => self.heard_at = at,
            Record::Accepted { key, turn } => {
                self.see(key.clone());
                self.open.insert(key, turn);
            }
            Record::Started { key } => {
                if let Some(turn) = self.open.get_mut(&key) {
                    turn.started = true;
                }
            }
            Record::Finished { key } => {
                self.open.remove(&key);
            }
            Record::Seen { key } => self.see(key),
            Record::Parked { key, parked } => {
                self.parked.insert(key, parked);
            }
            Record::Unparked { key } => {
                self.parked.remove(&key);
            }
            Record::Session { key, row } => {
                self.sessions.insert(key, row);
            }
            Record::Forget { key } => {
                self.sessions.remove(&key);
            }
            Record::Choose { scope, choice } => {
                if choice == Choice::default() {
                    self.choices.remove(&scope);
                } else {
                    self.choices.insert(scope, choice);
                }
            }
        }
    }

    fn see(&mut self, key: String) {
        if self.seen_set.insert(key.clone()) {
            self.seen.push_back(key);
            while self.seen.len() > SEEN_LIMIT {
                if let Some(old) = self.seen.pop_front() {
                    self.seen_set.remove(&old);
                }
            }
        }
    }

    /// Native sessions of a scope (`wtt:topic:<id>`), in order of their keys.
    pub fn sessions_of<'a>(
        &'a self,
        scope: &str,
    ) -> impl Iterator<Item = (&'a String, &'a SessionRow)> + use<'a> {
        let prefix = format!("{scope}:");
        self.sessions.beginning(&prefix)
    }

    /// Drops what is too old, and what is over the limits, least recently used first. Called before a snapshot.
    pub fn trim(&mut self) {
        let newest = self.sessions.values().map(|row| row.used_at).max().unwrap_or_default();
        self.sessions.retain(|row| newest.saturating_sub(row.used_at) < SESSION_AGE);
        let mut over = self.sessions.len().saturating_sub(SESSION_LIMIT);
        if over == 0 {
            return;
        }
        let ages: BinaryHeap<i64> = self.sessions.values().map(|row| row.used_at).collect();
        let newest_to_go = ages.into_sorted_vec()[over - 1];
        self.sessions.retain(|row| {
            let goes = over > 0 && row.used_at <= newest_to_go;
            over -= usize::from(goes);
            !goes
        });
    }
}
