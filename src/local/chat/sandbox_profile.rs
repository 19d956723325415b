//! The temporary folder of one `try`: the profile, the state and the log of its connector, and uploads.
//!
//! It is removed at the end. What a killed `try` has left behind is removed by a later one.

use crate::error::{self, Error, Result};
use crate::store::lock;
use crate::sys::id;
use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The beginning of the folders' names.
const PREFIX: &str = "wtt-try-";
const LOG: &str = "connector.log";
/// The subfolder in which the service keeps files.
pub const MEDIA: &str = "media";
/// What was left behind can be looked at for a day; then a later `try` removes it.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A private temporary folder, removed when dropped.
#[derive(Debug)]
pub struct SandboxProfile {
    folder: PathBuf,
    keeps_log: bool,
    keeps_files: bool,
}

impl SandboxProfile {
    /// Creates the folder in TMPDIR. The error is for people.
    pub fn create() -> Result<SandboxProfile> {
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}", &id::hex()[..12]));
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| {
            let why = error::reason(&e);
            Error::Failed(format!(
                "cannot create the temporary folder {}: {why}; set TMPDIR to a folder that you may write to",
                folder.display()
            ))
        })?;
        let sandbox = SandboxProfile { folder, keeps_log: false, keeps_files: false };
        for part in [MEDIA, "demo"] {
            DirBuilder::new().mode(0o700).create(sandbox.path(part)).map_err(|e| sandbox.write_error(&e))?;
        }
        Ok(sandbox)
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Keeps the log when everything else is removed.
    pub fn keep_log(&mut self) {
        self.keeps_log = true;
    }

    /// Keeps the files that the agent sent: a single answer is followed by no chat in which to look at them.
    pub fn keep_files(&mut self) {
        self.keeps_files = true;
    }

    /// The connector's outbox: replies that the service has not acknowledged yet.
    pub fn outbox(&self) -> PathBuf {
        self.path("state/outbox")
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The error, for people, of a write to the folder.
    pub fn write_error(&self, e: &std::io::Error) -> Error {
        Error::Failed(format!("cannot write to {}: {}", self.folder.display(), error::reason(e)))
    }

    /// The log file of the connector.
    pub fn log(&self) -> PathBuf {
        self.path(LOG)
    }
}

impl Drop for SandboxProfile {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let is_kept = |path: &PathBuf| {
            (self.keeps_log && *path == self.log()) || (self.keeps_files && *path == self.path(MEDIA))
        };
        for path in entries.flatten().map(|e| e.path()).filter(|p| !is_kept(p)) {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes what an earlier `try` has left in TMPDIR: only folders of this user that are a day old and whose connector
/// has ended. Errors are ignored: the next `try` can do it as well.
pub fn remove_leftovers() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_leftover(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_leftover(folder: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    let is_old = |path: &Path| {
        let changed = fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok();
        changed.is_none_or(|at| at.elapsed().is_ok_and(|age| age > LEFTOVER_AGE))
    };
    metadata.is_dir()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && is_old(folder)
        && is_old(&folder.join(LOG))
        && lock::holder(&folder.join("state/lock")).is_none()
}

/// Creates a file with mode 0600; an existing one is an error.
pub fn create_private_file(path: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_leaves_nothing_but_a_wanted_log() {
        let mut sandbox = SandboxProfile::create().expect("a sandbox");
        let (folder, log) = (sandbox.folder.clone(), sandbox.log());
        create_private_file(&log).expect("a log");
        sandbox.keep_log();
        drop(sandbox);
        assert!(log.exists() && fs::read_dir(&folder).expect("the folder").count() == 1);
        let again = SandboxProfile { folder: folder.clone(), keeps_log: false, keeps_files: false };
        drop(again);
        assert!(!folder.exists());
    }
}
