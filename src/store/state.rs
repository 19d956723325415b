//! The state of a profile as plain data, and how a journal record changes it. No IO.
//!
//! Unknown fields are kept, so that a newer file survives an older binary's rewrite.

use crate::json::null_as_default;
use crate::store::permissions::Permissions;
pub use crate::store::record::Record;
use crate::store::rows::keep_newest;
pub use crate::store::rows::{DeferredTurn, OpenTurn, SessionRow, TopicChoice};
use crate::store::session_history::FormerSessions;
use crate::store::usage::{TokenUsage, UsageTotals};
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
const MAX_TASK_CHAT_TURNS: usize = 32;

/// A session that was last used a year before the newest one is forgotten: the CLIs keep theirs for a month or so. Not by
/// the clock, which may be wrong. In milliseconds.
const MAX_SESSION_AGE_MS: i64 = 365 * 24 * 3600 * 1000;

/// The whole state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileState {
    /// File format.
    #[serde(deserialize_with = "null_as_default")]
    pub version: u64,
    /// Number of the last journal record that this snapshot contains.
    #[serde(deserialize_with = "null_as_default")]
    pub journal: u64,
    /// Up to here (milliseconds since the epoch) no message of the service was missed.
    #[serde(rename = "heard_at", deserialize_with = "null_as_default")]
    pub caught_up_to: i64,
    /// Native sessions by session key (`wtt:topic:<id>:<adapter>:<model>:<effort>`).
    #[serde(deserialize_with = "null_as_default")]
    pub sessions: BTreeMap<String, SessionRow>,
    /// Choices made in chat, by scope (`wtt:topic:<id>`).
    #[serde(deserialize_with = "null_as_default")]
    pub choices: BTreeMap<String, TopicChoice>,
    /// Accepted and not finished, by message key.
    #[serde(deserialize_with = "null_as_default")]
    pub open: BTreeMap<String, OpenTurn>,
    /// Turns that are put off until a usage limit resets, by message key.
    #[serde(rename = "parked", deserialize_with = "null_as_default")]
    pub deferred: BTreeMap<String, DeferredTurn>,
    /// The latest turns in the chats of tasks; the daemon knows their shape.
    #[serde(rename = "answers", deserialize_with = "null_as_default")]
    pub task_chat_turns: BTreeMap<String, Value>,
    /// Sums of tokens, and former sessions.
    #[serde(rename = "ledger", deserialize_with = "null_as_default")]
    pub history: History,
    /// What agents ask.
    #[serde(rename = "permits", deserialize_with = "null_as_default")]
    pub permissions: Permissions,
    /// Message keys, oldest first.
    #[serde(deserialize_with = "null_as_default")]
    pub seen: VecDeque<String>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
    #[serde(skip)]
    seen_index: HashSet<String>,
}

/// What people look back at: the sums of tokens and the native sessions that are not in use. One object of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Sums of tokens.
    #[serde(flatten)]
    pub usage: UsageTotals,
    /// Native sessions that are not in use.
    #[serde(rename = "shelf", deserialize_with = "null_as_default")]
    pub former_sessions: FormerSessions,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ProfileState {
    /// Rebuilds what is not stored. Call once after loading.
    pub fn build_index(&mut self) {
        self.seen_index = self.seen.iter().cloned().collect();
    }

    /// Whether a message key was met before.
    pub fn has_seen(&self, key: &str) -> bool {
        self.seen_index.contains(key)
    }

    /// Carries a record out.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::CaughtUp { at } => self.caught_up_to = at,
            Record::Accepted { key, turn } => {
                self.mark_seen(key.clone());
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
            Record::Seen { key } => self.mark_seen(key),
            Record::Deferred { key, turn } => {
                self.deferred.insert(key, turn);
            }
            Record::DeferralEnded { key } => {
                self.deferred.remove(&key);
            }
            Record::PermissionRequested { id, request } => {
                self.permissions.requests.insert(id, request);
            }
            Record::PermissionRequestClosed { id } => {
                self.permissions.requests.remove(&id);
            }
            Record::PermissionGranted { scope, grant } => self.permissions.add_grant(&scope, grant),
            Record::PermissionsRevoked { scope } => {
                self.permissions.grants.remove(&scope);
            }
            Record::PermissionDecided { decision } => self.permissions.add_decision(decision),
            Record::TaskChatTurn { key, turn } => self.set_task_chat_turn(key, turn),
            Record::SessionUsed { key, row } => {
                let id = row.any_native_id().unwrap_or_default().to_owned();
                let old = self.sessions.insert(key.clone(), row);
                if let Some(old) = old.filter(|old| old.any_native_id() != Some(&id)) {
                    self.history.former_sessions.insert(&key, old);
                }
                self.history.former_sessions.remove(&key, &id);
            }
            Record::SessionArchived { key } => {
                if let Some(row) = self.sessions.remove(&key) {
                    self.history.former_sessions.insert(&key, row);
                }
            }
            Record::TokensUsed { scope, adapter, at, tokens } => {
                self.history.usage.add_turn(&scope, &adapter, &TokenUsage::of_turn(at, tokens));
            }
            Record::SessionForgotten { key } => {
                self.sessions.remove(&key);
            }
            Record::ChoiceMade { scope, choice } => {
                if choice == TopicChoice::default() {
                    self.choices.remove(&scope);
                } else {
                    self.choices.insert(scope, choice);
                }
            }
        }
    }

    fn set_task_chat_turn(&mut self, key: String, turn: Value) {
        if turn.is_null() {
            self.task_chat_turns.remove(&key);
            return;
        }
        self.task_chat_turns.insert(key, turn);
        let at = |row: &Value| row["at"].as_i64().unwrap_or_default();
        if self.task_chat_turns.len() > MAX_TASK_CHAT_TURNS
            && let Some(oldest) = self.task_chat_turns.values().map(at).min()
        {
            self.task_chat_turns.retain(|_, row| at(row) > oldest);
        }
    }

    fn mark_seen(&mut self, key: String) {
        if self.seen_index.insert(key.clone()) {
            self.seen.push_back(key);
            while self.seen.len() > SEEN_LIMIT {
                if let Some(old) = self.seen.pop_front() {
                    self.seen_index.remove(&old);
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
        self.sessions.retain(|_, row| newest.saturating_sub(row.used_at) < MAX_SESSION_AGE_MS);
        keep_newest(&mut self.sessions, SESSION_LIMIT, |row| row.used_at);
        self.history.usage.trim();
        self.history.former_sessions.trim();
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
            let state: ProfileState = crate::json::parse(text).unwrap();
            assert!(state.sessions.is_empty() && state.seen.is_empty() && state.extra.is_empty());
        }
        let text = r#"{"sessions":{"k":{"used_at":null,"workdir":null,"claudeSessionId":null,"newer":1.5}}}"#;
        let state: ProfileState = crate::json::parse(text).unwrap();
        assert_eq!((state.sessions["k"].used_at, state.sessions["k"].any_native_id()), (0, None));
        assert_eq!(state.sessions["k"].native_ids["newer"], 1.5);
    }
}
