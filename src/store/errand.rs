//! What is done by HTTP after the texts of a reply are out: plain data, and what its success adds. No IO.

use crate::store::fields::{self, Fields, Wrong};
use serde::Serialize;
use serde_json::Value;

/// One thing to do. It may be done twice, when a crash hides that it was done: each must bear that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Errand {
    /// Change fields of an object of the service, to values that do not depend on what is there.
    Patch {
        /// Path of the API.
        path: String,
        /// The fields.
        body: Value,
    },
}

impl Errand {
    /// Reads one of an outbox file.
    pub(crate) fn read(mut fields: Fields) -> Result<Errand, Wrong> {
        let kind = fields.need("do", fields::text)?;
        match kind.as_str() {
            "patch" => Ok(Errand::Patch {
                path: fields.need("path", fields::text)?,
                body: fields.need("body", Some)?,
            }),
            _ => Err(format!("`{kind}` is no kind of errand")),
        }
    }

    /// Bytes of text in it.
    pub fn bytes(&self) -> usize {
        match self {
            Errand::Patch { body, .. } => body
                .as_object()
                .map_or(0, |fields| fields.values().filter_map(Value::as_str).map(str::len).sum()),
        }
    }

    /// What a patch sends.
    pub fn body_mut(&mut self) -> Option<&mut Value> {
        match self {
            Errand::Patch { body, .. } => Some(body),
        }
    }

    /// What is to be published because it was done, and the row that it adds to the artifacts of the next patch.
    pub fn yields(&self, _answer: &Value) -> Option<(String, Value)> {
        match self {
            Errand::Patch { .. } => None,
        }
    }
}
