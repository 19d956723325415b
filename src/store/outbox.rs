//! Replies that must reach the service: one file each, written before the reply is handed over, removed by the hub
//! when the service has acknowledged all of its parts.
//!
//! Files are named `<seq>-<id>.json`; their order is the order of publication. Any thread may [`Outbox::put`].

use crate::json;
use crate::json::null_as_default;
use crate::store::atomic;
use crate::store::follow_up::FollowUp;
use crate::sys::fault_injection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Where an entry goes that cannot be read or that the service refuses for good.
const FAILED: &str = "failed";
/// What the key of a card begins with that `upload-file` has asked for.
pub const UPLOAD_KEY_PREFIX: &str = "upload:";
/// So many of those are kept for whoever wants to know; the oldest go.
const MAX_FAILED: usize = 100;

/// What a reply is; the word goes into the reply's metadata, so that programs can tell. Most kinds correspond to a
/// [`crate::session::turn::TurnEnd`]; the others end no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// An answer.
    Done,
    /// The turn failed; the text says why.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// A restart or crash cut it.
    Interrupted,
    /// Put off until a usage limit resets.
    Parked,
    /// The connector's own answer to a chat command, or a refusal.
    Notice,
    /// Not an end: the agent asks something, and people are to answer.
    Question,
    /// Not to be published: the part is still to be spoken, and the upload lacks its file. `sent` says how often that was
    /// begun. The thread that speaks rewrites it.
    Speech,
}

impl ReplyKind {
    /// The word on the wire (`metadata.outcome`).
    pub fn word(self) -> &'static str {
        match self {
            ReplyKind::Done => "done",
            ReplyKind::Failed => "failed",
            ReplyKind::Cancelled => "cancelled",
            ReplyKind::Interrupted => "interrupted",
            ReplyKind::Parked => "parked",
            ReplyKind::Notice => "notice",
            ReplyKind::Question => "question",
            ReplyKind::Speech => "speech",
        }
    }
}

/// One reply: all its parts, so that a crash cannot leave half of it, and what is to be done once they are out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Order of publication.
    pub seq: u64,
    /// Our id; part `n` carries `<id>.<n>` as its client id.
    pub id: String,
    /// Key of the message that is answered.
    pub key: String,
    /// Topic.
    pub topic_id: String,
    /// Message to reply to (first part).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Keys of further messages that it answers as well.
    #[serde(
        rename = "also",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub merged_keys: Vec<String>,
    /// The texts, each small enough for one message.
    #[serde(default, deserialize_with = "null_as_default")]
    pub parts: Vec<String>,
    /// How the turn ended.
    pub kind: ReplyKind,
    /// When it was written, milliseconds since the epoch.
    #[serde(rename = "at")]
    pub written_at: i64,
    /// So many parts have been acknowledged; only kept up to date on disk once follow-ups are carried out.
    #[serde(rename = "sent", default, deserialize_with = "null_as_default")]
    pub acknowledged: usize,
    /// Carried out in order once all parts are acknowledged; one that is done is taken out. A reply may be nothing else.
    #[serde(
        rename = "after",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub follow_ups: Vec<FollowUp>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

#[cfg(test)]
impl OutboxEntry {
    /// One that says nothing, for tests: only its numbers tell it from others.
    pub(crate) fn example(seq: u64) -> OutboxEntry {
        OutboxEntry {
            seq,
            id: format!("id{seq}"),
            key: format!("key{seq}"),
            topic_id: format!("topic{seq}"),
            reply_to: None,
            merged_keys: Vec::new(),
            parts: Vec::new(),
            kind: ReplyKind::Done,
            written_at: 0,
            acknowledged: 0,
            follow_ups: Vec::new(),
            extra: Map::new(),
        }
    }
}

impl OutboxEntry {
    /// Whether it is a card that somebody asked for, and not the answer to a message.
    pub fn is_requested_upload(&self) -> bool {
        self.key.starts_with(UPLOAD_KEY_PREFIX)
    }

    /// The files in the staging area that wait with it.
    pub fn staged_names(&self) -> impl Iterator<Item = &str> {
        self.follow_ups.iter().filter_map(FollowUp::staged_name)
    }

    /// Bytes of text in it.
    pub fn text_bytes(&self) -> usize {
        self.parts.iter().map(String::len).sum::<usize>()
            + self.follow_ups.iter().map(FollowUp::text_bytes).sum::<usize>()
    }

    /// The client id of a part.
    pub fn client_id(&self, part: usize) -> String {
        format!("{}.{part}", self.id)
    }
}

/// The outbox folder.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
    next: Arc<AtomicU64>,
}

impl Outbox {
    /// Opens the folder and loads what an earlier run left, in order. Unreadable entries are set aside; how many.
    pub fn open(folder: &Path) -> io::Result<(Outbox, Vec<OutboxEntry>, usize)> {
        atomic::make_private_folder(folder)?;
        atomic::remove_stale(folder);
        let mut entries: Vec<OutboxEntry> = Vec::new();
        let mut poisoned = 0;
        let mut names = BTreeSet::new();
        names.extend(fs::read_dir(folder)?.flatten().filter_map(|file| file.file_name().into_string().ok()));
        for name in names.iter().filter(|name| name.ends_with(".json")) {
            let path = folder.join(name);
            match fs::read(&path).ok().and_then(|bytes| json::parse::<OutboxEntry>(&bytes).ok()) {
                Some(entry) if file_name(&entry) == *name => entries.push(entry),
                _ => {
                    poisoned += 1;
                    set_aside(folder, &path)?;
                }
            }
        }
        let next = entries.last().map_or(1, |e| e.seq + 1);
        // the clock keeps numbers growing across runs in which the outbox was empty
        let floor = u64::try_from(crate::sys::time::now_ms()).unwrap_or(1);
        let outbox = Outbox { folder: folder.to_owned(), next: Arc::new(AtomicU64::new(next.max(floor))) };
        Ok((outbox, entries, poisoned))
    }

    /// For somebody who only looks: how many replies wait, since when, and how many the service has refused for good.
    pub fn summary(folder: &Path) -> (usize, Option<SystemTime>, usize) {
        let files = |folder: &Path| {
            let entries = fs::read_dir(folder).ok().into_iter().flatten().flatten();
            entries.filter(|file| file.path().extension().is_some_and(|end| end == "json"))
        };
        let (mut count, mut oldest) = (0, None);
        for file in files(folder) {
            count += 1;
            let at = file.metadata().and_then(|meta| meta.modified()).ok();
            oldest = match (oldest, at) {
                (Some(a), Some(b)) => Some(std::cmp::min::<SystemTime>(a, b)),
                (a, b) => a.or(b),
            };
        }
        (count, oldest, files(&folder.join(FAILED)).count())
    }

    /// Gives a reply its place in the order; not yet on disk.
    pub fn new_entry(
        &self,
        key: &str,
        topic_id: &str,
        reply_to: Option<&str>,
        parts: Vec<String>,
        kind: ReplyKind,
    ) -> OutboxEntry {
        OutboxEntry {
            seq: self.next.fetch_add(1, Ordering::Relaxed),
            id: crate::sys::id::hex(),
            key: key.to_owned(),
            topic_id: topic_id.to_owned(),
            reply_to: reply_to.map(str::to_owned),
            merged_keys: Vec::new(),
            parts,
            kind,
            written_at: crate::sys::time::now_ms(),
            acknowledged: 0,
            follow_ups: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Makes a reply durable, or what has become of it since.
    pub fn put(&self, entry: &OutboxEntry) -> io::Result<()> {
        atomic::write(&self.folder.join(file_name(entry)), &serde_json::to_vec(entry)?)
    }

    /// As [`Outbox::put`], but a disk that refuses does not lose the reply: the entry then lives in memory only, for
    /// this run to deliver (false). A file may be there all the same, when only the folder could not be synced; it
    /// goes with the entry.
    pub fn put_or_keep_in_memory(&self, entry: &OutboxEntry) -> bool {
        let written = self.put(entry);
        if let Err(error) = &written {
            log::error!(target: "store", "outbox: {error}; this reply is kept in memory only");
        }
        written.is_ok()
    }

    /// The service has it: the file goes.
    pub fn remove(&self, entry: &OutboxEntry) -> io::Result<()> {
        fault_injection::step()?;
        match fs::remove_file(self.folder.join(file_name(entry))) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The service refuses it for good: kept for inspection.
    pub fn move_to_failed(&self, entry: &OutboxEntry) -> io::Result<()> {
        set_aside(&self.folder, &self.folder.join(file_name(entry)))
    }

    /// The service refuses a follow-up of it for good: a copy is kept for inspection, the rest goes on.
    pub fn copy_to_failed(&self, entry: &OutboxEntry) -> io::Result<()> {
        let failed = self.folder.join(FAILED);
        atomic::make_private_folder(&failed)?;
        atomic::write(&failed.join(file_name(entry)), &serde_json::to_vec(entry)?)?;
        trim(&failed)
    }
}

fn file_name(entry: &OutboxEntry) -> String {
    format!("{:016}-{}.json", entry.seq, entry.id)
}

fn set_aside(folder: &Path, path: &Path) -> io::Result<()> {
    let failed = folder.join(FAILED);
    atomic::make_private_folder(&failed)?;
    let Some(name) = path.file_name() else { return Ok(()) };
    fs::rename(path, failed.join(name))?;
    trim(&failed)
}

/// The oldest go.
fn trim(failed: &Path) -> io::Result<()> {
    let mut kept = BTreeSet::new();
    kept.extend(fs::read_dir(failed)?.flatten().filter_map(|file| file.file_name().into_string().ok()));
    for name in kept.iter().take(kept.len().saturating_sub(MAX_FAILED)) {
        let _ = fs::remove_file(failed.join(name));
    }
    Ok(())
}
