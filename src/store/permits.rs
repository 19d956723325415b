//! What the state holds of agents' questions: those that are open, what people have allowed, the last decisions. No IO.

use crate::store::fields::{self, Fields, Wrong};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Decisions that are remembered: a busy day. A row is about 200 bytes.
const DECISIONS: usize = 200;
/// What may be allowed in one scope; the oldest go, and are asked about again.
const GRANTS: usize = 50;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Permits {
    /// Questions that wait for people, by id.
    pub asks: BTreeMap<String, OpenAsk>,
    /// What people have allowed for the session of a scope, oldest first.
    pub grants: BTreeMap<String, Vec<String>>,
    /// The last decisions, oldest first; the daemon knows their shape.
    pub decisions: VecDeque<Value>,
}

/// A question that waits for people: what is needed to close it after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenAsk {
    /// Where it was asked.
    pub topic_id: String,
    /// What it was about, in one line.
    pub title: String,
    /// Whether it was asked in Chinese.
    pub zh: bool,
}

impl OpenAsk {
    pub(super) fn read(mut fields: Fields) -> Result<OpenAsk, Wrong> {
        Ok(OpenAsk {
            topic_id: fields.need("topic_id", fields::text)?,
            title: fields.take("title", fields::text)?.unwrap_or_default(),
            zh: fields.take("zh", fields::flag)?.unwrap_or_default(),
        })
    }
}

impl Permits {
    pub(super) fn read(mut fields: Fields) -> Result<Permits, Wrong> {
        let mut grants = BTreeMap::new();
        for (scope, list) in fields.take("grants", fields::object)?.unwrap_or_default() {
            let mut texts = Vec::new();
            texts.extend(
                list.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)),
            );
            grants.insert(scope, texts);
        }
        let mut decisions = VecDeque::new();
        let list = fields.take("decisions", Some)?.unwrap_or_default();
        decisions.extend(list.as_array().into_iter().flatten().cloned());
        Ok(Permits { asks: fields.table("asks", OpenAsk::read)?, grants, decisions })
    }

    pub(super) fn grant(&mut self, scope: &str, grant: String) {
        let grants = self.grants.entry(scope.to_owned()).or_default();
        grants.retain(|known| *known != grant);
        grants.push(grant);
        let extra = grants.len().saturating_sub(GRANTS);
        grants.drain(..extra);
    }

    pub(super) fn decided(&mut self, decision: Value) {
        self.decisions.push_back(decision);
        let extra = self.decisions.len().saturating_sub(DECISIONS);
        self.decisions.drain(..extra);
    }
}
