//! What must survive a crash: the state (snapshot and journal), the outbox, and the lock that guards them.
//!
//! The hub's thread owns the [`Store`]; only outbox files are written by other threads (see [`outbox`]).

pub mod atomic;
pub mod follow_up;
mod journal;
pub mod lock;
pub mod outbox;
pub mod permissions;
mod record;
mod rows;
pub mod sent_files;
pub mod session_history;
pub mod staging;
pub mod state;
pub mod upload;
pub mod usage;

use crate::json;
use journal::Journal;
use state::{ProfileState, Record};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Below this size of the journal no snapshot is written between two changes: rewriting would cost more than replaying.
const SNAPSHOT_FLOOR: u64 = 256 * 1024;
/// How long after the last change the journal is folded into the snapshot. A turn records its steps closer to each other than
/// that, and a person who looks into `state.json` does not wait longer.
const FOLD_DELAY: Duration = Duration::from_secs(2);
/// When a fold that has failed is tried again: a disk that was full is seldom empty sooner.
const FOLD_RETRY: Duration = Duration::from_secs(60);
/// Up to this size a snapshot is written at each quiet moment; it takes a few milliseconds.
const SMALL_SNAPSHOT: u64 = 1024 * 1024;
/// A larger snapshot is written once the journal has this part of its size, so that the cost of a message does not grow with the
/// number of sessions.
const FOLD_SHARE: u64 = 8;
/// Unreadable state files that are kept for inspection.
const KEEP_CORRUPT: usize = 3;

/// The state of one profile on disk and in memory.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    state: ProfileState,
    journal: Journal,
    snapshot_bytes: u64,
    /// When the changes since the last snapshot are folded into it. None: there are none.
    fold_at: Option<Instant>,
    /// What was wrong with the files at start, for `status` and `doctor`.
    notes: Vec<String>,
    complete_since: i64,
}

impl Store {
    /// Loads snapshot and journal, and writes a new snapshot at once: that also finds out whether the place is
    /// writable. The caller holds the lock.
    pub fn open(path: &Path) -> io::Result<Store> {
        let folder = path.parent().ok_or_else(|| io::Error::other("the store file has no folder"))?;
        atomic::remove_stale(folder);
        let mut notes = Vec::new();
        let mut state = load(path, &mut notes)?;
        state.build_index();
        let journal_path = with_suffix(path, "journal");
        let bad = journal::replay(&journal_path, &mut state)?;
        if bad > 0 {
            notes.push(format!("{bad} unreadable lines in {} were skipped", journal_path.display()));
        }
        let complete_since = if notes.is_empty() { 0 } else { crate::sys::time::now_ms() };
        state.version = state.version.max(state::VERSION);
        let snapshot_bytes = write_snapshot(path, &mut state)?;
        let journal = Journal::create(&journal_path, state.journal)?;
        let path = path.to_owned();
        Ok(Store { path, state, journal, snapshot_bytes, fold_at: None, notes, complete_since })
    }

    /// What the files hold, for somebody who only looks: nothing is changed and nothing mended. None: unreadable.
    pub fn peek(path: &Path) -> Option<ProfileState> {
        let mut state = match read(path).ok()? {
            Snapshot::State(state) => *state,
            Snapshot::Missing => ProfileState::default(),
            Snapshot::Unreadable(_) => return None,
        };
        state.build_index();
        journal::replay(&with_suffix(path, "journal"), &mut state).ok()?;
        Some(state)
    }

    /// The state in memory.
    pub fn state(&self) -> &ProfileState {
        &self.state
    }

    /// What was found wrong and mended at start.
    pub fn repairs(&self) -> &[String] {
        &self.notes
    }

    /// Which messages were dealt with is known for certain only since then (milliseconds since the epoch): 0, unless
    /// the files had to be mended.
    pub fn complete_since(&self) -> i64 {
        self.complete_since
    }

    /// Carries out a change in memory and puts it into the batch for the disk.
    pub fn record(&mut self, record: Record) {
        self.state.journal = self.journal.push(&record);
        self.state.apply(record);
        self.fold_at = Some(Instant::now() + FOLD_DELAY);
    }

    /// Whether changes wait for [`Store::commit`].
    pub fn has_uncommitted(&self) -> bool {
        self.journal.has_uncommitted()
    }

    /// Makes all changes durable. An error leaves them in memory; the next call tries again with a fresh snapshot.
    pub fn commit(&mut self) -> io::Result<()> {
        match self.journal.commit() {
            Ok(()) if self.journal.bytes() > self.snapshot_bytes.max(SNAPSHOT_FLOOR) => self.snapshot(),
            Ok(()) => Ok(()),
            Err(error) => {
                log::debug!(target: "store", "journal: {error}; writing a snapshot instead");
                self.snapshot()
            }
        }
    }

    /// When [`Store::fold`] is due. None while `state.json` is current, or while the journal is small against a large snapshot.
    pub fn fold_deadline(&self) -> Option<Instant> {
        let bytes = self.snapshot_bytes;
        let is_worth_it = bytes <= SMALL_SNAPSHOT || self.journal.bytes() * FOLD_SHARE >= bytes;
        self.fold_at.filter(|_| is_worth_it)
    }

    /// Brings `state.json` up to date after a quiet moment. After an error it is due again a minute later.
    pub fn fold(&mut self, now: Instant) -> io::Result<()> {
        self.fold_at = Some(now + FOLD_RETRY);
        self.snapshot()
    }

    /// Writes everything into the state file and empties the journal.
    pub fn snapshot(&mut self) -> io::Result<()> {
        self.snapshot_bytes = write_snapshot(&self.path, &mut self.state)?;
        self.journal.reset()?;
        self.fold_at = None;
        Ok(())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

fn write_snapshot(path: &Path, state: &mut ProfileState) -> io::Result<u64> {
    state.trim();
    let bytes = serde_json::to_vec(state)?;
    atomic::write_keeping(path, &bytes, &with_suffix(path, "prev"))?;
    Ok(bytes.len() as u64)
}

/// Reads the snapshot; an unreadable one is set aside and the previous one is used.
fn load(path: &Path, notes: &mut Vec<String>) -> io::Result<ProfileState> {
    match read(path)? {
        Snapshot::State(state) => return Ok(*state),
        Snapshot::Missing => {}
        Snapshot::Unreadable(why) => {
            let aside = with_suffix(path, &format!("corrupt-{}", crate::sys::time::now_ms()));
            fs::rename(path, &aside)?;
            forget_old_corrupt(path);
            notes.push(format!(
                "the state file was unreadable ({why}); it was set aside as {}",
                aside.display()
            ));
        }
    }
    let previous = with_suffix(path, "prev");
    match read(&previous)? {
        Snapshot::State(state) => {
            notes.push(format!("the previous copy {} was used", previous.display()));
            Ok(*state)
        }
        Snapshot::Missing => Ok(ProfileState::default()),
        Snapshot::Unreadable(why) => {
            notes.push(format!("the previous copy was unreadable as well ({why}); starting afresh"));
            Ok(ProfileState::default())
        }
    }
}

enum Snapshot {
    State(Box<ProfileState>),
    Missing,
    Unreadable(String),
}

fn read(path: &Path) -> io::Result<Snapshot> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Snapshot::Missing),
        Err(e) => return Err(e),
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Snapshot::Unreadable("it is empty".to_owned()));
    }
    Ok(match json::parse(&bytes) {
        Ok(state) => Snapshot::State(Box::new(state)),
        Err(why) => Snapshot::Unreadable(why.to_string()),
    })
}

/// State files that could not be read and lie beside this one, oldest first.
pub fn set_aside(path: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}.corrupt-", path.file_name().unwrap_or_default().to_string_lossy());
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut found: Vec<PathBuf> = Vec::new();
    found.extend(
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with(&prefix))
            .map(|e| e.path()),
    );
    found.sort();
    found
}

fn forget_old_corrupt(path: &Path) {
    let found = set_aside(path);
    let extra = found.len().saturating_sub(KEEP_CORRUPT);
    for old in found.into_iter().take(extra) {
        let _ = fs::remove_file(old);
    }
}
