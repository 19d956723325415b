//! Files that came with messages, on disk: a folder for each message below `WTT_CONNECT_INBOX_DIR`, old ones removed.
//!
//! Only folders that this file has named are ever touched; the user may have chosen a directory with other things in
//! it.

use crate::config::paths;
use crate::http::fetch::Download;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// One file: what the service takes from people (see LIMITS in wtt-connect-protocol(7)).
pub(crate) const MAX_FILE_BYTES: u64 = 100 << 20;
/// All files of a message.
pub(crate) const MAX_MESSAGE_BYTES: u64 = 256 << 20;
/// Files fetched for one message; nobody shows more pictures at a time.
pub(crate) const MAX_FILES: usize = 16;
/// What all messages may hold; above it the oldest go.
const MAX_INBOX_BYTES: u64 = 2 << 30;
/// A conversation seldom comes back to a file after two weeks; the agent has copied what it needs.
const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// Younger ones stay, whatever they hold: a turn may be at work on them.
const MIN_AGE_FOR_EVICTION: Duration = Duration::from_secs(3 * 3600);
/// What our folders begin with.
const PREFIX: &str = "m-";
/// Files of one name in a message; more are refused.
const MAX_NAME_COLLISIONS: u32 = 100;
/// So much is read at a time, and progress told after each.
const PIECE: usize = 64 << 10;

/// The folder of a message, new and empty. The key comes from the network: it becomes a name by its hash.
pub(crate) fn folder(root: &Path, key: &str) -> io::Result<PathBuf> {
    let mut word = String::new();
    word.extend(key.chars().filter(char::is_ascii_alphanumeric).take(16));
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    paths::create_private_dir(root)?;
    let folder = root.join(format!("{PREFIX}{word}-{hash:016x}"));
    // left by a turn that was cut or put off; a link is removed, not followed
    match fs::symlink_metadata(&folder) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&folder)?,
        Ok(_) => fs::remove_file(&folder)?,
        Err(_) => {}
    }
    paths::create_private_dir(&folder)?;
    Ok(folder)
}

/// A new file of this name, or of one with a number.
fn create(folder: &Path, name: &str) -> io::Result<(fs::File, PathBuf)> {
    let (stem, ending) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((name, ""));
    for number in 1..MAX_NAME_COLLISIONS {
        let numbered = match (number, ending) {
            (1, _) => name.to_owned(),
            (_, "") => format!("{stem}-{number}"),
            (_, _) => format!("{stem}-{number}.{ending}"),
        };
        let path = folder.join(numbered);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (file, path)),
        }
    }
    Err(io::Error::other("too many files of this name"))
}

/// Writes a file as it comes. `go_on` is told how much there is, and may end it. On any failure nothing is left, and
/// the reason is for people.
pub(crate) fn store(
    incoming: Download,
    folder: &Path,
    name: &str,
    limit: u64,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<(PathBuf, u64), String> {
    let too_large = || format!("it is larger than {} MiB", limit >> 20);
    if incoming.length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let wrong = |e: io::Error| format!("it cannot be written here: {}", crate::error::reason(&e));
    let (mut file, path) = create(folder, name).map_err(wrong)?;
    let mut body = incoming.body;
    let mut size = 0;
    let mut piece = vec![0; PIECE];
    let result = loop {
        let count = match body.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(count) => count,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => break Err(format!("it broke off: {}", crate::text::one_line(&e.to_string()))),
        };
        size += count as u64;
        if size > limit {
            break Err(too_large());
        }
        if let Err(e) = file.write_all(&piece[..count]) {
            break Err(wrong(e));
        }
        if !go_on(size) {
            break Err("it was stopped".to_owned());
        }
    };
    let result = match (result, incoming.length) {
        (Ok(()), Some(length)) if length != size => Err("it came incomplete".to_owned()),
        (result, _) => result,
    };
    if result.is_err() {
        let _ = fs::remove_file(&path);
    }
    result.map(|()| (path, size))
}

/// Removes what is too old, and then the oldest while all together are too large.
pub(crate) fn evict_old(root: &Path) {
    evict_to_size(root, MAX_INBOX_BYTES, SystemTime::now());
}

fn evict_to_size(root: &Path, max: u64, now: SystemTime) {
    let mut folders: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let Ok(meta) = entry.metadata() else { continue };
        if ours && meta.is_dir() {
            folders.push((meta.modified().unwrap_or(now), size(&entry.path(), 8), entry.path()));
        }
    }
    folders.sort_by_cached_key(|folder| folder.0);
    let mut all: u64 = folders.iter().map(|folder| folder.1).sum();
    for (at, size, path) in folders {
        let age = now.duration_since(at).unwrap_or_default();
        if age > MAX_AGE || (all > max && age > MIN_AGE_FOR_EVICTION) {
            all -= size;
            match fs::remove_dir_all(&path) {
                Ok(()) => log::debug!(target: "session", "removed the old files in {}", path.display()),
                Err(e) => log::debug!(target: "session", "{} stays: {e}", path.display()),
            }
        }
    }
}

/// Bytes below a folder; links are not followed.
fn size(folder: &Path, depth: usize) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() && depth > 0 => sum += size(&entry.path(), depth - 1),
            Ok(meta) => sum += meta.len(),
            Err(_) => {}
        }
    }
    sum
}

/// The media type of an image that models take, by its first bytes; none for other files.
pub(crate) fn image_type(path: &Path) -> Option<&'static str> {
    let mut head = [0; 12];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(bytes: &'static [u8], length: Option<u64>) -> Download {
        Download { body: Box::new(bytes), length, media_type: String::new() }
    }

    #[test]
    fn names_never_collide_and_never_follow_a_link() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), "../../x").unwrap();
        assert_eq!(folder.parent(), Some(root.path()));
        std::os::unix::fs::symlink(root.path().join("victim"), folder.join("a.txt")).unwrap();
        let keep = |bytes| store(incoming(bytes, None), &folder, "a.txt", 100, &mut |_| true).unwrap();
        let (first, second) = (keep(b"one").0, keep(b"two").0);
        assert_eq!(
            (first.file_name().unwrap(), second.file_name().unwrap()),
            ("a-2.txt".as_ref(), "a-3.txt".as_ref())
        );
        assert_eq!(fs::read(first).unwrap(), b"one");
        assert!(!root.path().join("victim").exists());
        let again = super::folder(root.path(), "../../x").unwrap();
        assert_eq!((again.clone(), fs::read_dir(again).unwrap().count()), (folder, 0), "empty again");
    }

    #[test]
    fn what_is_too_large_or_incomplete_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        for (bytes, length, why) in [
            (&b"12345"[..], None, "larger"),
            (b"12345", Some(5), "larger"),
            (b"123", Some(4), "incomplete"),
            (b"1", Some(1), "stopped"),
        ] {
            let told =
                store(incoming(bytes, length), root.path(), "a", 4, &mut |_| why != "stopped").unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn old_folders_go_first_and_others_are_not_ours() {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let make = |name: &str, hours: u64| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            store(incoming(&[7; 100], None), &folder, "f", 100, &mut |_| true).unwrap();
            let at = now - Duration::from_secs(hours * 3600);
            fs::File::open(&folder).unwrap().set_modified(at).unwrap();
        };
        for (name, hours) in [("m-old", 400), ("mine", 400), ("m-c", 5), ("m-b", 6), ("m-a", 7), ("m-new", 1)]
        {
            make(name, hours);
        }
        evict_to_size(root.path(), 250, now);
        let mut left: Vec<String> = Vec::new();
        left.extend(
            fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()),
        );
        left.sort();
        assert_eq!(left, ["m-c", "m-new", "mine"]);
        evict_to_size(root.path(), 1, now);
        assert!(root.path().join("m-new").exists(), "a turn may be at work on it");
    }
}
