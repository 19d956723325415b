//! The sessions of the demonstration agent: one file per session with a line for each message, so that a session can
//! really be resumed.

use super::intent::{self, Intent};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Messages that are read back from a session: more than a person sends to try it out, and few enough to start quickly.
const TURNS_MAX: usize = 200;

/// An open session.
#[derive(Debug)]
pub struct Transcript {
    file: File,
    earlier: Vec<Intent>,
}

/// A folder in the user's state directory, or else in the temporary directory.
pub fn default_folder() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("wtt-connect-demo-agent")
}

fn path(folder: &Path, session_id: &str) -> Option<PathBuf> {
    let is_safe = session_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (is_safe && (1..=64).contains(&session_id.len())).then(|| folder.join(format!("{session_id}.txt")))
}

impl Transcript {
    /// Creates a session with an id that is not in use. The error is what the real CLI prints.
    pub fn create(folder: &Path, session_id: &str) -> Result<Transcript, String> {
        let path = path(folder, session_id).ok_or("Error: Invalid session ID. Must be a valid UUID.")?;
        let opened = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .and_then(|()| OpenOptions::new().append(true).create_new(true).mode(0o600).open(path));
        match opened {
            Ok(file) => Ok(Transcript { file, earlier: Vec::new() }),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(format!("Error: Session ID {session_id} is already in use."))
            }
            Err(e) => Err(format!("Error: {}: {e}", folder.display())),
        }
    }

    /// Opens an existing session. None if there is none with this id.
    pub fn open(folder: &Path, session_id: &str) -> Option<Transcript> {
        let path = path(folder, session_id)?;
        let text = fs::read_to_string(&path).ok()?;
        let mut earlier: Vec<Intent> = text.lines().rev().take(TURNS_MAX).map(intent::parse).collect();
        earlier.reverse();
        let file = OpenOptions::new().append(true).open(&path).ok()?;
        Some(Transcript { file, earlier })
    }

    /// What earlier messages asked for, oldest first.
    pub fn earlier(&self) -> Vec<Intent> {
        self.earlier.clone()
    }

    /// Appends a message, at once, so that the message of an interrupted turn is remembered as well.
    pub fn append(&mut self, prompt: &str) {
        let _ = self.file.write_all(format!("{}\n", intent::to_transcript_line(prompt)).as_bytes());
    }
}
