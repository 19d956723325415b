//! The rows of the state that tables and journal records share. Plain data.
//!
//! Names in the file differ from those of the fields where the field got a better name later; the file keeps its own.
//! Each row keeps the fields that a newer version wrote.

use crate::json::null_as_default;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BinaryHeap};

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
    pub native_ids: Map<String, Value>,
}

impl SessionRow {
    /// The native id stored under an adapter's key.
    pub fn native_id(&self, key: &str) -> Option<&str> {
        self.native_ids.get(key).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    /// The native id, whichever adapter it belongs to. The keys of all adapters end in `Id`; other fields are of a newer version.
    pub fn any_native_id(&self) -> Option<&str> {
        let mut ids = self.native_ids.iter().filter(|(key, _)| key.ends_with("Id"));
        ids.find_map(|(_, id)| id.as_str().filter(|s| !s.is_empty()))
    }
}

/// What people chose for a topic or task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicChoice {
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
    #[serde(rename = "at")]
    pub accepted_at: i64,
    /// Whether an agent was started for it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub started: bool,
    /// The key of the turn that it was added to: that one's reply answers it as well.
    #[serde(rename = "into", skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// The task that it carries out.
    #[serde(rename = "task", skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Whether its people are told in Chinese.
    #[serde(rename = "zh", default, deserialize_with = "null_as_default")]
    pub in_chinese: bool,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A message whose turn is put off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeferredTurn {
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

/// Drops the oldest rows beyond a number.
pub(crate) fn keep_newest<T>(table: &mut BTreeMap<String, T>, limit: usize, at: fn(&T) -> i64) {
    let mut over = table.len().saturating_sub(limit);
    if over == 0 {
        return;
    }
    let ages: BinaryHeap<i64> = table.values().map(at).collect();
    let newest_to_go = ages.into_sorted_vec()[over - 1];
    table.retain(|_, row| {
        let goes = over > 0 && at(row) <= newest_to_go;
        over -= usize::from(goes);
        !goes
    });
}
