//! What is done by HTTP after the texts of a reply are out: plain data, and what its success adds. No IO.

use crate::store::upload::Upload;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing to do. It may be done twice, when a crash hides that it was done: each must bear that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Errand {
    /// Change fields of an object of the service, to values that do not depend on what is there.
    Patch {
        /// Path of the API.
        path: String,
        /// The fields.
        body: Value,
    },
    /// Send a file. The same bytes are not sent twice where the ledger knows them.
    Upload(Upload),
}

impl Errand {
    /// Bytes of text in it.
    pub fn bytes(&self) -> usize {
        match self {
            Errand::Patch { body, .. } => body
                .as_object()
                .map_or(0, |fields| fields.values().filter_map(Value::as_str).map(str::len).sum()),
            Errand::Upload(_) => 0,
        }
    }

    /// The file on the shelf that it sends.
    pub fn copy(&self) -> Option<&str> {
        match self {
            Errand::Patch { .. } => None,
            Errand::Upload(upload) => Some(&upload.copied.copy),
        }
    }

    /// What a patch sends.
    pub fn body_mut(&mut self) -> Option<&mut Value> {
        match self {
            Errand::Patch { body, .. } => Some(body),
            Errand::Upload(_) => None,
        }
    }

    /// Path and fields of a patch.
    pub fn as_patch(&self) -> Option<(&str, &Value)> {
        match self {
            Errand::Patch { path, body } => Some((path, body)),
            Errand::Upload(_) => None,
        }
    }

    /// What is to be published because it was done, and the row that it adds to the artifacts of the next patch.
    pub fn yields(&self, answer: &Value) -> (Vec<String>, Option<Value>) {
        let mut texts = Vec::new();
        match self {
            Errand::Patch { .. } => (texts, None),
            Errand::Upload(_) => {
                let all = answer["texts"].as_array().into_iter().flatten();
                texts.extend(all.filter_map(Value::as_str).map(str::to_owned));
                (texts, answer.get("row").cloned())
            }
        }
    }
}
