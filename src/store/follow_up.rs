//! What is done by HTTP after the texts of a reply are out: plain data, and what its success adds. No IO.

use crate::store::upload::Upload;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing to do. It may be done twice, when a crash hides that it was done: each must bear that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum FollowUp {
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

impl FollowUp {
    /// Bytes of text in it.
    pub fn text_bytes(&self) -> usize {
        match self {
            FollowUp::Patch { body, .. } => body
                .as_object()
                .map_or(0, |fields| fields.values().filter_map(Value::as_str).map(str::len).sum()),
            FollowUp::Upload(_) => 0,
        }
    }

    /// The file in the staging area that it sends.
    pub fn staged_name(&self) -> Option<&str> {
        match self {
            FollowUp::Patch { .. } => None,
            FollowUp::Upload(upload) => Some(&upload.staged.name),
        }
    }

    /// What a patch sends.
    pub fn patch_body_mut(&mut self) -> Option<&mut Value> {
        match self {
            FollowUp::Patch { body, .. } => Some(body),
            FollowUp::Upload(_) => None,
        }
    }

    /// Path and fields of a patch.
    pub fn as_patch(&self) -> Option<(&str, &Value)> {
        match self {
            FollowUp::Patch { path, body } => Some((path, body)),
            FollowUp::Upload(_) => None,
        }
    }

    /// What is to be published because it was done, and the row that it adds to the artifacts of the next patch.
    pub fn results(&self, answer: &Value) -> (Vec<String>, Option<Value>) {
        let mut texts = Vec::new();
        match self {
            FollowUp::Patch { .. } => (texts, None),
            FollowUp::Upload(_) => {
                let all = answer["texts"].as_array().into_iter().flatten();
                texts.extend(all.filter_map(Value::as_str).map(str::to_owned));
                (texts, answer.get("row").cloned())
            }
        }
    }
}
