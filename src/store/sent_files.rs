//! The ledger of what was sent: from where, its hash and size, where it lies now, for which topic and task.
//!
//! One small file in the state directory, written anew for each file that was sent. It tells people what has left this
//! machine, and spares sending the same bytes twice.

use crate::json;
use crate::json::null_as_default;
use crate::store::atomic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The file in the state directory.
pub const FILE: &str = "artifacts.json";
/// So many are remembered; the oldest go.
pub const MAX_ROWS: usize = 500;

/// A file that was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFileRecord {
    /// When, milliseconds since the epoch.
    #[serde(rename = "at")]
    pub sent_at: i64,
    /// Where it came from on this machine.
    #[serde(rename = "from")]
    pub origin: String,
    /// What it is called there.
    pub name: String,
    /// What people see.
    pub title: String,
    /// SHA-256.
    #[serde(rename = "hash")]
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// `application/pdf` and so on.
    pub mime: String,
    /// The service that has it: its base URL.
    pub service: String,
    /// Where it lies.
    pub url: String,
    /// The topic in which its card is.
    pub topic_id: String,
    /// The task, in a task's topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The file, for those who write it.
#[derive(Debug)]
pub struct SentFiles {
    path: PathBuf,
    /// Whoever changes the file.
    write_lock: Mutex<()>,
}

impl SentFiles {
    /// The ledger of a state directory.
    pub fn new(state_dir: &Path) -> SentFiles {
        SentFiles { path: state_dir.join(FILE), write_lock: Mutex::new(()) }
    }

    /// All rows, oldest first. A file that cannot be read counts as empty: it is a record, not a promise.
    pub fn rows(&self) -> Result<Vec<SentFileRecord>, String> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(crate::error::reason(&e)),
        };
        Ok(json::parse::<Content>(&bytes)?.sent)
    }

    /// Where the same bytes lie already, if they were sent to this service as the same kind of file.
    pub fn find_url(&self, hash: &str, mime: &str, service: &str) -> Option<String> {
        let rows = self.rows().ok()?;
        let same = |row: &&SentFileRecord| row.sha256 == hash && row.mime == mime && row.service == service;
        rows.iter().rev().find(same).map(|row| row.url.clone())
    }

    /// Adds a row.
    pub fn add(&self, row: SentFileRecord) -> Result<(), String> {
        let _turn = self.write_lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut rows = self.rows().unwrap_or_else(|why| {
            log::warn!(target: "store", "{} cannot be read ({why}); a new one is begun", self.path.display());
            Vec::new()
        });
        rows.push(row);
        let surplus = rows.len().saturating_sub(MAX_ROWS);
        rows.drain(..surplus);
        let text = serde_json::to_vec(&Content { sent: rows }).map_err(|e| e.to_string())?;
        atomic::write(&self.path, &text).map_err(|e| crate::error::reason(&e))
    }
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(default, deserialize_with = "null_as_default")]
    sent: Vec<SentFileRecord>,
}
