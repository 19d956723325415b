//! The state of a profile as plain data, and how a journal record changes it. No IO.
//!
//! Unknown fields are kept, so that a newer file survives an older binary's rewrite.

use crate::json::null_as_default;
use crate::store::ledger::{self, Ledger, Tokens};
use crate::store::permits::Permits;
pub use crate::store::record::Record;
use crate::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// Version of the file format that this program writes.
pub const VERSION: u64 = 1;
/// How many message keys are remembered for "seen before": days of a busy agent, about 300 KiB of file.
pub const SEEN_LIMIT: usize = 4096;
/// Sessions kept; the least recently used go first. A row is about 200 bytes.
pub const SESSION_LIMIT: usize = 20_000;

/// Turns in chats of tasks that are remembered: each matters for some seconds, and may hold the text of a result.
const ANSWERS: usize = 32;

/// A session that was last used a year before the newest one is forgotten: the CLIs keep theirs for a month or so. Not by
/// the clock, which may be wrong. In milliseconds.
const SESSION_AGE: i64 = 365 * 24 * 3600 * 1000;

/// The whole state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// File format.
    #[serde(deserialize_with = "null_as_default")]
    pub version: u64,
    /// Number of the last journal record that this snapshot contains.
    #[serde(deserialize_with = "null_as_default")]
    pub journal: u64,
    /// Up to here (milliseconds since the epoch) no message of the service was missed.
    #[serde(deserialize_with = "null_as_default")]
    pub heard_at: i64,
    /// Native sessions by session key (`wtt:topic:<id>:<adapter>:<model>:<effort>`).
    #[serde(deserialize_with = "null_as_default")]
    pub sessions: BTreeMap<String, SessionRow>,
    /// Choices made in chat, by scope (`wtt:topic:<id>`).
    #[serde(deserialize_with = "null_as_default")]
    pub choices: BTreeMap<String, Choice>,
    /// Accepted and not finished, by message key.
    #[serde(deserialize_with = "null_as_default")]
    pub open: BTreeMap<String, OpenTurn>,
    /// Turns that are put off until a usage limit resets, by message key.
    #[serde(deserialize_with = "null_as_default")]
    pub parked: BTreeMap<String, Parked>,
    /// The latest turns in the chats of tasks; the daemon knows their shape.
    #[serde(deserialize_with = "null_as_default")]
    pub answers: BTreeMap<String, Value>,
    /// Tokens and earlier sessions.
    #[serde(deserialize_with = "null_as_default")]
    pub ledger: Ledger,
    /// What agents ask.
    #[serde(deserialize_with = "null_as_default")]
    pub permits: Permits,
    /// Message keys, oldest first.
    #[serde(deserialize_with = "null_as_default")]
    pub seen: VecDeque<String>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
    #[serde(skip)]
    seen_set: HashSet<String>,
}

/// One native session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRow {
    /// Last use, milliseconds since the epoch.
    #[serde(deserialize_with = "null_as_default")]
    pub used_at: i64,
    /// When an agent process last opened it, new or again, milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<i64>,
    /// The workdir that the native session belongs to.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub workdir: String,
    /// How the message that began it begins, for people to know it by.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Thread totals reported last, for CLIs that count per thread; the session layer knows the shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_total: Option<Value>,
    /// Native ids under the names of the README (`codexThreadId`, `claudeSessionId`), and unknown fields.
    #[serde(flatten)]
    pub ids: Map<String, Value>,
}

impl SessionRow {
    /// The native id stored under an adapter's key.
    pub fn id(&self, key: &str) -> Option<&str> {
        self.ids.get(key).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    /// The native id, whatever its key.
    pub fn native(&self) -> Option<&str> {
        self.ids.values().find_map(|id| id.as_str().filter(|s| !s.is_empty()))
    }
}

/// What people chose for a topic or task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// `/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Reasoning effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// `/adapter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// `/mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// `/voice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<bool>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A message that was accepted and has no answer yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTurn {
    /// Where the answer goes.
    pub topic_id: String,
    /// The message to reply to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// When it was accepted, milliseconds since the epoch.
    pub at: i64,
    /// Whether an agent was started for it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub started: bool,
    /// The key of the turn that it was added to: that one's reply answers it as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// The task that it carries out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Whether its people are told in Chinese.
    #[serde(default, deserialize_with = "null_as_default")]
    pub zh: bool,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A message whose turn is put off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// When it is run again, milliseconds since the epoch.
    pub until: i64,
    /// Its session (`wtt:topic:<id>`).
    pub scope: String,
    /// The message as it came.
    pub message: Value,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl State {
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
            Record::Asked { key, ask } => {
                self.permits.asks.insert(key, ask);
            }
            Record::Closed { key } => {
                self.permits.asks.remove(&key);
            }
            Record::Grant { key, grant } => self.permits.grant(&key, grant),
            Record::Revoke { key } => {
                self.permits.grants.remove(&key);
            }
            Record::Decided { decision } => self.permits.decided(decision),
            Record::Answered { key, answer } => self.answer(key, answer),
            Record::Session { key, row } => {
                let id = row.native().unwrap_or_default().to_owned();
                let old = self.sessions.insert(key.clone(), row);
                if let Some(old) = old.filter(|old| old.native() != Some(&id)) {
                    self.ledger.put_aside(&key, old);
                }
                self.ledger.take_back(&key, &id);
            }
            Record::Shelve { key } => {
                if let Some(row) = self.sessions.remove(&key) {
                    self.ledger.put_aside(&key, row);
                }
            }
            Record::Used { scope, adapter, at, tokens } => {
                self.ledger.count(&scope, &adapter, &Tokens::of_turn(at, tokens));
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

    fn answer(&mut self, key: String, answer: Value) {
        if answer.is_null() {
            self.answers.remove(&key);
            return;
        }
        self.answers.insert(key, answer);
        let at = |row: &Value| row["at"].as_i64().unwrap_or_default();
        if self.answers.len() > ANSWERS
            && let Some(oldest) = self.answers.values().map(at).min()
        {
            self.answers.retain(|_, row| at(row) > oldest);
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
        text::with_prefix(&self.sessions, &prefix)
    }

    /// Drops what is too old, and what is over the limits, least recently used first. Called before a snapshot.
    pub fn trim(&mut self) {
        let newest = self.sessions.values().map(|row| row.used_at).max().unwrap_or_default();
        self.sessions.retain(|_, row| newest.saturating_sub(row.used_at) < SESSION_AGE);
        ledger::keep_newest(&mut self.sessions, SESSION_LIMIT, |row| row.used_at);
        self.ledger.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_and_null_are_the_same() {
        for text in
            ["{}", r#"{"version":null,"sessions":null,"seen":null,"ledger":null,"permits":{"grants":null}}"#]
        {
            let state: State = crate::json::parse(text).unwrap();
            assert!(state.sessions.is_empty() && state.seen.is_empty() && state.extra.is_empty());
        }
        let text = r#"{"sessions":{"k":{"used_at":null,"workdir":null,"claudeSessionId":null,"newer":1.5}}}"#;
        let state: State = crate::json::parse(text).unwrap();
        assert_eq!((state.sessions["k"].used_at, state.sessions["k"].native()), (0, None));
        assert_eq!(state.sessions["k"].ids["newer"], 1.5);
    }
}
