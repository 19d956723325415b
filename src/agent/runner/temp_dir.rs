//! A temporary folder for one agent process, for CLIs that need a file from us or that leave conversations in the
//! temporary folder of the user.

use crate::agent::adapter::TempDirEntry;
use crate::agent::runner::home_overlay;
use crate::sys::id;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Removed with its contents when it is dropped.
pub(crate) struct TempDir(PathBuf);

impl Drop for TempDir {
    fn drop(&mut self) {
        // Nobody else can read what cannot be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The prefix of the names of an owner's folders. `owner` is an owner tag; only the part before the first colon counts.
fn prefix(owner: &str) -> String {
    format!("wtt-connect-{}-", owner.split(':').next().unwrap_or_default())
}

/// Removes the folders that crashed instances of this owner have left.
pub(crate) fn remove_left_over(owner: &str) {
    let prefix = prefix(owner);
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Creates the folder with these entries and sets the variables that lead to them; without entries there is no folder.
/// `user_value` returns what the agent's environment has for a name so far.
pub(crate) fn create(
    owner: &str,
    entries: &[TempDirEntry],
    cmd: &mut Command,
    user_value: impl Fn(&str) -> Option<OsString>,
) -> io::Result<Option<TempDir>> {
    if entries.is_empty() {
        return Ok(None);
    }
    // The name cannot be guessed, and creating a folder never follows a link that somebody else has put there.
    let path = std::env::temp_dir().join(prefix(owner) + &id::hex());
    DirBuilder::new().mode(0o700).create(&path)?;
    let folder = TempDir(path);
    for entry in entries {
        match entry {
            TempDirEntry::Folder(variable) => drop(cmd.env(variable, &folder.0)),
            TempDirEntry::Home(home) => {
                let overlay = folder.0.join("home");
                let real = user_value(home.variable).or_else(|| user_value("HOME")).unwrap_or_default();
                let real = Path::new(&real);
                if real.is_absolute() && home_overlay::create(home, &overlay, real)? {
                    cmd.env(home.variable, overlay);
                }
            }
        }
    }
    Ok(Some(folder))
}
