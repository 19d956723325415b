//! The append-only tail of the state: one JSON line per change since the last snapshot.
//!
//! It makes the cost of a message independent of the number of sessions: a message appends a few hundred bytes, and the
//! snapshot is rewritten at quiet moments, or when the journal has grown as large as the snapshot itself.

use crate::json;
use crate::store::state::{ProfileState, Record};
use crate::sys::fault_injection;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A numbered record; numbers up to `ProfileState::journal` are in the snapshot already.
#[derive(Serialize)]
struct JournalLine<'a> {
    n: u64,
    #[serde(flatten)]
    record: &'a Record,
}

/// The open journal file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    next: u64,
    pending: Vec<u8>,
    /// A write failed half-way: what follows would be glued to half a line.
    torn: bool,
}

/// A line of the journal as it is read: owned, where [`JournalLine`] borrows.
#[derive(Deserialize)]
struct StoredLine {
    n: u64,
    #[serde(flatten)]
    record: Record,
}

/// Applies what a journal file holds to a loaded snapshot. Returns how many lines could not be read (a torn
/// last line after a power cut is normal and not counted).
pub(crate) fn replay(path: &Path, state: &mut ProfileState) -> io::Result<usize> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let mut bad = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        if text.is_empty() {
            continue;
        }
        match json::parse(text) {
            Ok(StoredLine { n, record }) if n > state.journal => {
                state.apply(record);
                state.journal = n;
            }
            Ok(_) => {}
            Err(_) => bad += 1,
        }
    }
    Ok(bad)
}

impl Journal {
    /// Opens for appending, after [`replay`]; the caller writes a snapshot first, so the old content is not needed.
    pub(crate) fn create(path: &Path, last: u64) -> io::Result<Journal> {
        fault_injection::step()?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        fault_injection::step()?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            crate::store::atomic::sync_folder(folder)?;
        }
        Ok(Journal {
            path: path.to_owned(),
            file,
            bytes: 0,
            next: last + 1,
            pending: Vec::new(),
            torn: false,
        })
    }

    /// Adds a record to the batch in memory; its number is returned.
    pub(crate) fn push(&mut self, record: &Record) -> u64 {
        let n = self.next;
        self.next += 1;
        if serde_json::to_writer(&mut self.pending, &JournalLine { n, record }).is_ok() {
            self.pending.push(b'\n');
        }
        n
    }

    /// Whether there is anything to commit.
    pub(crate) fn has_uncommitted(&self) -> bool {
        self.torn || !self.pending.is_empty()
    }

    /// Bytes since the last snapshot.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the batch durable with one write and one fsync. On an error the batch is kept for the next snapshot.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.torn {
            return Err(io::Error::other(format!("{} needs a new snapshot", self.path.display())));
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let (first, rest) = self.pending.split_at(self.pending.len() / 2);
        let mut written = || {
            fault_injection::step()?;
            self.file.write_all(first)?;
            fault_injection::step()?;
            self.file.write_all(rest)?;
            fault_injection::step()?;
            self.file.sync_data()?;
            fault_injection::step()
        };
        let result = written();
        if result.is_err() {
            // the snapshot that must come now holds all of it
            self.torn = true;
            self.pending.clear();
            return result;
        }
        self.bytes += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Empties the file after a snapshot that holds everything. After an error the file may be empty while the open handle still
    /// points behind its old content, so nothing is appended before the next snapshot.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        self.torn = true;
        *self = Journal::create(&self.path, self.next - 1)?;
        Ok(())
    }
}
