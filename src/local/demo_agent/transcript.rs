//! What the demonstration agent remembers: one file per session with a line for
//! each message, so that resuming is real.

use super::intent::{self, Wish};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Turns read back from a session: more than a person tries out, and starting stays quick.
const TURNS_MAX: usize = 200;

/// An open session.
#[derive(Debug)]
pub struct Memory {
    file: File,
    said: Vec<Wish>,
}

/// The state folder of the user, else a folder among the temporary files.
pub fn default_folder() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("wtt-connect-demo-agent")
}

fn path(folder: &Path, session_id: &str) -> Option<PathBuf> {
    let plain = session_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (plain && (1..=64).contains(&session_id.len())).then(|| folder.join(format!("{session_id}.txt")))
}

impl Memory {
    /// Begins a session under an id that is not in use.
    pub fn start(folder: &Path, session_id: &str) -> Result<Memory, String> {
        let path = path(folder, session_id).ok_or("Error: Invalid session ID. Must be a valid UUID.")?;
        let opened = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .and_then(|()| OpenOptions::new().append(true).create_new(true).mode(0o600).open(path));
        match opened {
            Ok(file) => Ok(Memory { file, said: Vec::new() }),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(format!("Error: Session ID {session_id} is already in use."))
            }
            Err(e) => Err(format!("Error: {}: {e}", folder.display())),
        }
    }

    /// Opens a session that was begun before.
    pub fn resume(folder: &Path, session_id: &str) -> Option<Memory> {
        let path = path(folder, session_id)?;
        let text = fs::read_to_string(&path).ok()?;
        let mut said: Vec<Wish> = text.lines().rev().take(TURNS_MAX).map(intent::read).collect();
        said.reverse();
        let file = OpenOptions::new().append(true).open(&path).ok()?;
        Some(Memory { file, said })
    }

    /// What was asked in earlier turns, oldest first.
    pub fn said(&self) -> Vec<Wish> {
        self.said.clone()
    }

    /// Keeps what is asked now; at once, so that an interrupted turn is remembered as well.
    pub fn add(&mut self, prompt: &str) {
        let _ = self.file.write_all(format!("{}\n", intent::in_one_line(prompt)).as_bytes());
    }
}
