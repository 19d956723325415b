//! A folder of the turn's own, for CLIs that need a file from us or that leave conversations in the temporary folder.

use crate::agent::spec::Private;
use crate::sys::id;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Removed with everything in it when it is dropped.
pub(super) struct Folder(PathBuf);

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
pub(super) fn remove_left_over(owner: &str) {
    let prefix = prefix(owner);
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Makes the folder and what is to be in it, and tells the command. Without rows there is no folder.
pub(super) fn lay_out(
    owner: &str,
    rows: &[Private],
    cmd: &mut Command,
    is_set: impl Fn(&str) -> bool,
) -> io::Result<Option<Folder>> {
    if rows.is_empty() {
        return Ok(None);
    }
    // The name cannot be guessed, and making a folder never follows what somebody else has put there.
    let path = std::env::temp_dir().join(prefix(owner) + &id::hex());
    DirBuilder::new().mode(0o700).create(&path)?;
    let folder = Folder(path);
    for row in rows {
        let own = !row.file.is_empty() && is_set(row.variable);
        if own || (!row.unless.is_empty() && Path::new(row.unless).exists()) {
            continue;
        }
        if row.file.is_empty() {
            cmd.env(row.variable, &folder.0);
            continue;
        }
        let file = folder.0.join(row.file);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
            Ok(mut open) => open.write_all(row.text.as_bytes())?,
            // Two variables may name one file.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        cmd.env(row.variable, file);
    }
    Ok(Some(folder))
}
