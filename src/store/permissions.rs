//! What the state holds of agents' questions: those that are open, what people have allowed, the last decisions. No IO.

use crate::json::null_as_default;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};

/// Decisions that are remembered: a busy day. A row is about 200 bytes.
const MAX_DECISIONS: usize = 200;
/// What may be allowed in one scope; the oldest go, and are asked about again.
const MAX_GRANTS: usize = 50;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Permissions {
    /// Questions that wait for people, by id.
    #[serde(rename = "asks", deserialize_with = "null_as_default")]
    pub requests: BTreeMap<String, OpenPermissionRequest>,
    /// What people have allowed for the session of a scope, oldest first.
    #[serde(deserialize_with = "null_as_default")]
    pub grants: BTreeMap<String, Vec<String>>,
    /// The last decisions, oldest first; the daemon knows their shape.
    #[serde(deserialize_with = "null_as_default")]
    pub decisions: VecDeque<Value>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A question that waits for people: what is needed to close it after a crash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPermissionRequest {
    /// Where it was asked.
    pub topic_id: String,
    /// What it was about, in one line.
    #[serde(default, deserialize_with = "null_as_default")]
    pub title: String,
    /// Whether it was asked in Chinese.
    #[serde(rename = "zh", default, deserialize_with = "null_as_default")]
    pub in_chinese: bool,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Permissions {
    pub(super) fn add_grant(&mut self, scope: &str, grant: String) {
        let grants = self.grants.entry(scope.to_owned()).or_default();
        grants.retain(|known| *known != grant);
        grants.push(grant);
        let extra = grants.len().saturating_sub(MAX_GRANTS);
        grants.drain(..extra);
    }

    pub(super) fn add_decision(&mut self, decision: Value) {
        self.decisions.push_back(decision);
        let extra = self.decisions.len().saturating_sub(MAX_DECISIONS);
        self.decisions.drain(..extra);
    }
}
