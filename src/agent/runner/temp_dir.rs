//! A folder of the turn's own, for CLIs that need a file from us or that leave conversations in the temporary folder.

use crate::agent::adapter::TempDirEntry;
use crate::agent::runner::home_overlay;
use crate::sys::id;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Removed with everything in it when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is readable for nobody else.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the names of an owner's folders begin with. `owner` as in a marker: all before the first colon counts.
fn prefix(owner: &str) -> String {
    format!("wtt-connect-{}-", owner.split(':').next().unwrap_or_default())
}

/// Removes the folders that a crash of this owner has left.
pub(crate) fn remove_left_over(owner: &str) {
    let prefix = prefix(owner);
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Makes the folder and what is to be in it, and tells the command. Without rows there is no folder. `value` is what the
/// agent's environment has for a name so far.
pub(crate) fn lay_out(
    owner: &str,
    rows: &[TempDirEntry],
    cmd: &mut Command,
    value: impl Fn(&str) -> Option<OsString>,
) -> io::Result<Option<Folder>> {
    if rows.is_empty() {
        return Ok(None);
    }
    // The name cannot be guessed, and making a folder never follows what somebody else has put there.
    let path = std::env::temp_dir().join(prefix(owner) + &id::hex());
    DirBuilder::new().mode(0o700).create(&path)?;
    let folder = Folder(path);
    for row in rows {
        match row {
            TempDirEntry::Folder(variable) => drop(cmd.env(variable, &folder.0)),
            TempDirEntry::Home(home) => {
                let own = folder.0.join("home");
                let real = value(home.variable).or_else(|| value("HOME")).unwrap_or_default();
                let real = Path::new(&real);
                if real.is_absolute() && home_overlay::make(home, &own, real)? {
                    cmd.env(home.variable, own);
                }
            }
        }
    }
    Ok(Some(folder))
}
