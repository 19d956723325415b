//! A file on its way out, as the outbox keeps it. Plain data.

use crate::json::null_as_default;
use crate::store::staging::StagedFile;
use serde::{Deserialize, Serialize};

/// A copy in the staging area, with all that its card needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The copy.
    #[serde(flatten)]
    pub staged: StagedFile,
    /// What the file is called.
    pub name: String,
    /// What people see.
    pub title: String,
    /// `application/pdf` and so on.
    pub mime: String,
    /// Where its card goes.
    pub topic_id: String,
    /// The task, in a task's topic.
    pub task_id: Option<String>,
    /// It holds the answer itself: if it cannot be sent, the text goes in pieces.
    #[serde(rename = "instead", default, deserialize_with = "null_as_default")]
    pub replaces_text: bool,
    /// People are told of it in Chinese.
    #[serde(rename = "zh", default, deserialize_with = "null_as_default")]
    pub in_chinese: bool,
}
