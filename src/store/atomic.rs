//! Replacing a file so that a crash or power cut leaves either the old or the new content, never a mixture.
//!
//! Order: unique temp file in the same folder (mode 0600 from its first instant), write, fsync, rename, fsync of
//! the folder. The fsync before the rename prevents the empty file; the one of the folder makes the rename durable.

use crate::sys::fault_injection;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Suffix of temp files; leftovers of a crash are removed at start by [`remove_stale`].
const TEMP_SUFFIX: &str = ".tmp";

/// Replaces (or creates) `path` with `bytes`. On any error the old file is intact and the temp file is gone.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, None)
}

/// As [`write()`], keeping the previous content as `previous` (a hard link, so nothing is copied).
pub fn write_keeping(path: &Path, bytes: &[u8], previous: &Path) -> io::Result<()> {
    replace(path, bytes, Some(previous))
}

fn replace(path: &Path, bytes: &[u8], previous: Option<&Path>) -> io::Result<()> {
    refuse_special(path)?;
    let folder = path.parent().ok_or_else(|| io::Error::other("the path has no folder"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temp = folder.join(format!(".{name}.{}{TEMP_SUFFIX}", crate::sys::id::hex()));
    let result = fill(&temp, bytes).and_then(|()| {
        if let Some(previous) = previous {
            keep(path, previous)?;
        }
        fault_injection::step()?;
        fs::rename(&temp, path)
    });
    if result.is_err() {
        let _ = fs::remove_file(&temp);
        return result;
    }
    fault_injection::step()?;
    sync_folder(folder)
}

/// Makes the entries of a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn fill(temp: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temp)?;
    fault_injection::step()?;
    let half = bytes.len() / 2;
    file.write_all(&bytes[..half])?;
    fault_injection::step()?;
    file.write_all(&bytes[half..])?;
    fault_injection::step()?;
    file.sync_all()
}

fn keep(path: &Path, previous: &Path) -> io::Result<()> {
    match fs::remove_file(previous) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fault_injection::step()?;
    match fs::hard_link(path, previous) {
        // nothing to keep yet, or a file system without hard links: the copy is insurance, not a promise
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// A link or device at the target is somebody's trick or mistake: never written through.
fn refuse_special(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() => {
            Err(io::Error::other(format!("{} exists and is not a regular file", path.display())))
        }
        _ => Ok(()),
    }
}

/// Creates a folder and its parents, private to the user (0700 for those it makes).
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes temp files that a crash left in a folder.
pub fn remove_stale(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(TEMP_SUFFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
