//! The path of this program for a service file: one that stays valid when the program is upgraded.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Returns the path that a service should start. An upgrade replaces the file behind a link (`~/.npm-global/bin`), so a
/// link on PATH is preferred, then the path that was typed, then the file itself.
pub fn stable_path() -> Result<PathBuf, String> {
    let running = std::env::current_exe()
        .map_err(|e| format!("cannot find the file of this program: {}", crate::error::reason(&e)))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name(&running)));
    let typed = std::env::args_os().next().map(PathBuf::from).filter(|word| word.components().count() > 1);
    let typed = typed.and_then(|word| std::path::absolute(word).ok());
    choose(&running, on_path.chain(typed)).ok_or_else(|| {
        format!("{} was replaced or removed while it was running; run the command again", running.display())
    })
}

fn name(file: &Path) -> &OsStr {
    file.file_name().unwrap_or(OsStr::new("wtt-connect"))
}

/// The first candidate that resolves to the running file, or else that file.
fn choose(running: &Path, candidates: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let real = std::fs::canonicalize(running).ok()?;
    let mut same = candidates.filter(|file| std::fs::canonicalize(file).is_ok_and(|target| target == real));
    Some(same.next().unwrap_or_else(|| real.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_this_program_is_preferred_to_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (file, link, other) = (root.join("v1"), root.join("link"), root.join("other"));
        std::fs::File::create(&file).unwrap();
        std::fs::File::create(&other).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(choose(&file, [other.clone(), link.clone()].into_iter()), Some(link));
        assert_eq!(choose(&file, [other].into_iter()), Some(file));
        assert_eq!(choose(&root.join("gone"), std::iter::empty()), None);
    }
}
