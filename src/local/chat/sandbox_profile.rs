//! The temporary folder of one `try`: the profile, the state and the log of its connector, and uploads.
//!
//! It is removed in the end. What a killed `try` has left is removed by a later one.

use crate::error::{self, Error, Result};
use crate::store::lock;
use crate::sys::id;
use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the names of the folders begin.
const PREFIX: &str = "wtt-try-";
const LOG: &str = "connector.log";
/// Where the service keeps files.
pub const MEDIA: &str = "media";
/// What was left behind may be looked at for so long.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A private folder among the temporary files; removed in the end.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    keep_log: bool,
    keep_files: bool,
}

impl Stage {
    /// Makes it.
    pub fn new() -> Result<Stage> {
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}", &id::hex()[..12]));
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| {
            let why = error::reason(&e);
            Error::Failed(format!(
                "cannot make the temporary folder {}: {why}; set TMPDIR to a folder that you may write to",
                folder.display()
            ))
        })?;
        let stage = Stage { folder, keep_log: false, keep_files: false };
        for part in [MEDIA, "demo"] {
            DirBuilder::new().mode(0o700).create(stage.path(part)).map_err(|e| stage.failed(&e))?;
        }
        Ok(stage)
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Leaves the log when everything else is removed, because something went wrong.
    pub fn keep_log(&mut self) {
        self.keep_log = true;
    }

    /// Leaves the files that were sent: whoever asked for one answer looks at them afterwards.
    pub fn keep_files(&mut self) {
        self.keep_files = true;
    }

    /// Where replies lie that are not with the service yet.
    pub fn outbox(&self) -> PathBuf {
        self.path("state/outbox")
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// For people: it cannot be written to.
    pub fn failed(&self, e: &std::io::Error) -> Error {
        Error::Failed(format!("cannot write to {}: {}", self.folder.display(), error::reason(e)))
    }

    /// Where the connector logs.
    pub fn log(&self) -> PathBuf {
        self.path(LOG)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let stays = |path: &PathBuf| {
            (self.keep_log && *path == self.log()) || (self.keep_files && *path == self.path(MEDIA))
        };
        for path in entries.flatten().map(|e| e.path()).filter(|p| !stays(p)) {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes what earlier ones have left in the folder for temporary files: only what is ours, has been lying there for a
/// day, and has no connector. Trouble is not ours to tell.
pub fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_left_over(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_over(folder: &Path) -> bool {
    let Ok(about) = fs::symlink_metadata(folder) else { return false };
    let old = |path: &Path| {
        let changed = fs::symlink_metadata(path).and_then(|about| about.modified()).ok();
        changed.is_none_or(|at| at.elapsed().is_ok_and(|age| age > LEFT_OVER))
    };
    about.is_dir()
        && about.uid() == rustix::process::geteuid().as_raw()
        && old(folder)
        && old(&folder.join(LOG))
        && lock::holder(&folder.join("state/lock")).is_none()
}

/// A new file that nobody else may read.
pub fn private(path: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_leaves_nothing_but_a_wanted_log() {
        let mut stage = Stage::new().expect("a stage");
        let (folder, log) = (stage.folder.clone(), stage.log());
        private(&log).expect("a log");
        stage.keep_log();
        drop(stage);
        assert!(log.exists() && fs::read_dir(&folder).expect("the folder").count() == 1);
        let again = Stage { folder: folder.clone(), keep_log: false, keep_files: false };
        drop(again);
        assert!(!folder.exists());
    }
}
