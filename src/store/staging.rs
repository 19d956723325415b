//! The staging area: private copies of the files that are being sent, and the rule which files may leave at all.
//!
//! A file is opened once, beneath one of the allowed folders and without following a link, checked on what was opened,
//! and copied with its hash; the copy is what is sent, so nothing that happens to the file later matters. Nothing is
//! ever searched for: only what is named is looked at.

use crate::error::reason;
use crate::store::atomic;
use crate::sys::open_beneath::{self, OpenError};
use crate::sys::{fault_injection, id, zip};
use crate::text;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file: what the service takes (see LIMITS in wtt-connect-protocol(7)).
pub const MAX_FILE: u64 = 100 << 20;
/// All copies together: a service that takes nothing for days must not fill the disk.
pub const MAX_TOTAL: u64 = 1 << 30;
/// Where an archive came from is a note for people: two hundred long paths would make the ledger huge.
const MAX_ORIGIN_CHARS: usize = 4096;
/// Read and written at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Which files may leave.
#[derive(Debug, Clone, Default)]
pub struct AllowedRoots {
    /// Files below these may: workspace, inbox, artifact folder.
    pub roots: Vec<PathBuf>,
    /// Nothing below these may, unless a root lies deeper: state directory, profiles.
    pub excluded: Vec<PathBuf>,
    /// Never these, by whatever name they are reached: the state file, what holds the token.
    pub forbidden_files: Vec<PathBuf>,
}

/// A copy that is ready to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Its name in the staging area.
    #[serde(rename = "copy")]
    pub name: String,
    /// Where it came from.
    #[serde(rename = "from")]
    pub origin: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    #[serde(rename = "hash")]
    pub sha256: String,
    /// So many bytes.
    pub size: u64,
}

/// The folder with the copies.
#[derive(Debug, Clone)]
pub struct StagingArea {
    folder: PathBuf,
    allowed: AllowedRoots,
}

impl StagingArea {
    /// Copies go into `folder`, which is created on demand. The allowed folders are resolved now: one that
    /// becomes a link later is not followed.
    pub fn new(folder: PathBuf, mut rule: AllowedRoots) -> StagingArea {
        for path in rule.roots.iter_mut().chain(&mut rule.excluded) {
            if let Ok(real) = path.canonicalize() {
                *path = real;
            }
        }
        StagingArea { folder, allowed: rule }
    }

    /// Removes the copies that nobody waits for: an earlier run made them and ended before it said so.
    pub fn remove_unreferenced(&self, is_wanted: &dyn Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if !entry.file_name().to_str().is_some_and(is_wanted) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Takes a copy of a file. `path` counts from `from_folder`. The error says why not: a clause.
    pub fn stage(&self, from_folder: &Path, path: &str) -> Result<StagedFile, String> {
        let (file, real) = self.open_allowed(from_folder, path)?;
        self.write_staged(&real.to_string_lossy(), &mut |to| copy_limited(&file, to, MAX_FILE))
    }

    /// Takes one archive of several files, under the names that `name_of` makes of their paths; of equal ones the
    /// later get a number.
    pub fn stage_archive(
        &self,
        from_folder: &Path,
        paths: &[String],
        name_of: fn(&str) -> String,
    ) -> Result<StagedFile, String> {
        let (mut files, mut total): (Vec<zip::ZipInput>, u64) = (Vec::new(), 0);
        let mut from: Vec<String> = Vec::new();
        for path in paths {
            let named = |why: String| format!("`{path}`: {why}");
            let (file, real) = self.open_allowed(from_folder, path).map_err(named)?;
            let size = file.metadata().map_or(0, |meta| meta.len());
            total += size;
            let name = name_of(&real.to_string_lossy());
            files.push(zip::ZipInput { name: unused_name(&files, &name), file, size });
            from.push(real.to_string_lossy().into_owned());
        }
        // what does not get smaller would not fit; and a file of holes could become endless work
        if total > 10 * MAX_FILE {
            return Err(format!("the files are larger than {}", megabytes(10 * MAX_FILE)));
        }
        self.write_staged(&text::truncate(&from.join(", "), MAX_ORIGIN_CHARS), &mut |to| {
            zip::pack(to, &files, MAX_FILE)
        })
    }

    /// Makes a file of a text.
    pub fn stage_text(&self, from: &str, text: &str) -> Result<StagedFile, String> {
        self.write_staged(from, &mut |mut to| to.write_all(text.as_bytes()))
    }

    /// Opens a copy.
    pub fn open(&self, copy: &str) -> io::Result<File> {
        let plain = copy.bytes().all(|b| b.is_ascii_hexdigit());
        if !plain || copy.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        File::open(self.folder.join(copy))
    }

    /// A copy has been sent, or nobody wants it any more.
    pub fn remove(&self, copy: &str) {
        if self.open(copy).is_ok() {
            let _ = fs::remove_file(self.folder.join(copy));
        }
    }

    /// Opens a file that may leave.
    fn open_allowed(&self, from_folder: &Path, path: &str) -> Result<(File, PathBuf), String> {
        if path.contains('\0') || path.len() > 4096 {
            return Err("this is no path".to_owned());
        }
        let real = from_folder.join(path).canonicalize().map_err(|e| reason(&e))?;
        let outside = || {
            let work = self.allowed.roots.first().map(|root| format!("; put it below {}", root.display()));
            ["it lies outside the folders from which files may be sent", work.as_deref().unwrap_or_default()]
                .concat()
        };
        let depth = |path: &&PathBuf| path.as_os_str().len();
        let root = self.allowed.roots.iter().filter(|root| real.starts_with(root)).max_by_key(depth);
        let root = root.ok_or_else(outside)?;
        let closed = self.allowed.excluded.iter().filter(|closed| real.starts_with(closed)).max_by_key(depth);
        if closed.is_some_and(|closed| root == closed || !root.starts_with(closed)) {
            return Err("it belongs to the connector itself".to_owned());
        }
        let rest = real.strip_prefix(root).map_err(|_| outside())?;
        let file = open_beneath::open(root, rest).map_err(|why| match why {
            OpenError::NotRegularFile => "it is not a regular file".to_owned(),
            OpenError::UnsafePath => "a link has come between".to_owned(),
            OpenError::Io(e) => reason(&e),
        })?;
        let meta = file.metadata().map_err(|e| reason(&e))?;
        let same = |other: fs::Metadata| (other.dev(), other.ino()) == (meta.dev(), meta.ino());
        if self.allowed.forbidden_files.iter().any(|path| fs::metadata(path).is_ok_and(same)) {
            return Err("it belongs to the connector itself".to_owned());
        }
        match meta.len() {
            0 => Err("it is empty".to_owned()),
            size if size > MAX_FILE => Err(too_large()),
            _ => Ok((file, real)),
        }
    }

    /// Makes a copy of what `fill` writes. It is on disk when this returns.
    fn write_staged(
        &self,
        from: &str,
        fill: &mut dyn FnMut(&File) -> io::Result<()>,
    ) -> Result<StagedFile, String> {
        let words = |e: io::Error| match e.kind() {
            io::ErrorKind::FileTooLarge => too_large(),
            _ => format!("it cannot be copied: {}", reason(&e)),
        };
        atomic::make_private_folder(&self.folder).map_err(words)?;
        let sizes = fs::read_dir(&self.folder).map_err(words)?.flatten().filter_map(|e| e.metadata().ok());
        if sizes.map(|meta| meta.len()).sum::<u64>() + MAX_FILE > MAX_TOTAL {
            return Err("too many files wait to be sent".to_owned());
        }
        let copy = id::hex();
        let path = self.folder.join(&copy);
        let filled = (|| {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            fault_injection::step()?;
            fill(&file)?;
            fault_injection::step()?;
            file.sync_all()?;
            atomic::sync_folder(&self.folder)?;
            sha256(file)
        })();
        match filled {
            Ok((hash, size)) if size <= MAX_FILE => {
                Ok(StagedFile { name: copy, origin: from.to_owned(), sha256: hash, size })
            }
            other => {
                let _ = fs::remove_file(&path);
                Err(other.err().map_or_else(too_large, words))
            }
        }
    }
}

/// Copies at most so much: a file may grow while it is read.
fn copy_limited(from: &File, mut to: &File, max: u64) -> io::Result<()> {
    // within one file system this is done by the kernel
    match io::copy(&mut from.take(max + 1), &mut to)? {
        n if n > max => Err(io::ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

fn sha256(mut file: File) -> io::Result<(String, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let (mut context, mut piece, mut size) = (Context::new(&SHA256), vec![0; BUFFER_BYTES], 0);
    loop {
        let n = match file.read(&mut piece) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if n == 0 {
            break;
        }
        context.update(&piece[..n]);
        size += n as u64;
    }
    let hash = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hash, size))
}

fn unused_name(taken: &[zip::ZipInput], name: &str) -> String {
    let is_free = |name: &str| !taken.iter().any(|other| other.name.eq_ignore_ascii_case(name));
    let (stem, ending) = name.rsplit_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    let numbered = (2..).map(|n| format!("{stem}-{n}{ending}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}

fn too_large() -> String {
    format!("it is larger than {}", megabytes(MAX_FILE))
}

fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn staging(dir: &Path) -> StagingArea {
        for folder in ["ws/in", "ws/state/artifacts", "ws/state/outbox", "profiles"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        for file in [
            "ws/in/a.txt",
            "ws/state/state.json",
            "ws/state/artifacts/b.txt",
            "ws/state/outbox/c",
            "profiles/p.env",
        ] {
            fs::write(dir.join(file), file).unwrap();
        }
        StagingArea::new(
            dir.join("ws/state/uploads"),
            AllowedRoots {
                roots: vec![dir.join("ws"), dir.join("ws/state/artifacts"), dir.join("none")],
                excluded: vec![dir.join("ws/state"), dir.join("profiles")],
                forbidden_files: vec![dir.join("profiles/p.env")],
            },
        )
    }

    #[test]
    fn only_files_of_the_open_folders_leave() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (staging, ws) = (staging(dir), dir.join("ws"));
        fs::hard_link(dir.join("profiles/p.env"), ws.join("innocent.txt")).unwrap();
        symlink("/etc/passwd", ws.join("passwd.txt")).unwrap();
        symlink("in/a.txt", ws.join("inside.txt")).unwrap();
        fs::write(ws.join("empty.txt"), "").unwrap();
        File::create(ws.join("big.txt")).unwrap().set_len(3 << 30).unwrap();
        for path in ["in/a.txt", "./in/../in/a.txt", "inside.txt", "state/artifacts/b.txt"] {
            let copied = staging.stage(&ws, path).unwrap_or_else(|why| panic!("{path}: {why}"));
            assert_eq!(fs::read(copied.origin).unwrap().len() as u64, copied.size);
            staging.remove(&copied.name);
            assert!(staging.open(&copied.name).is_err());
        }
        for (path, why) in [
            ("none.txt", "no such file"),
            ("../profiles/p.env", "outside"),
            ("/etc/passwd", "outside"),
            ("passwd.txt", "outside"),
            ("../ws/state/state.json", "connector itself"),
            ("state/outbox/c", "connector itself"),
            ("innocent.txt", "connector itself"),
            ("in", "not a regular file"),
            ("empty.txt", "empty"),
            ("big.txt", "larger than 100 MiB"),
            ("a\0b", "no path"),
        ] {
            let said = staging.stage(&ws, path).unwrap_err();
            assert!(said.contains(why), "{path}: {said}");
        }
        assert_eq!(fs::read_dir(ws.join("state/uploads")).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_is_what_the_file_was() {
        let dir = tempfile::tempdir().unwrap();
        let (staging, ws) = (staging(dir.path()), dir.path().join("ws"));
        fs::write(ws.join("x.txt"), "abc").unwrap();
        let copied = staging.stage(&ws, "x.txt").unwrap();
        fs::write(ws.join("x.txt"), "other").unwrap();
        assert_eq!(copied.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut text = String::new();
        staging.open(&copied.name).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        let other = staging.stage_text("reply", "text").unwrap();
        staging.remove_unreferenced(&|name| name == other.name);
        assert!(staging.open(&copied.name).is_err() && staging.open(&other.name).is_ok());
        assert!(staging.open("../state.json").is_err());
    }

    #[test]
    fn equal_names_in_an_archive_get_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let (staging, ws) = (staging(dir.path()), dir.path().join("ws"));
        fs::write(ws.join("a.txt"), "other").unwrap();
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let paths = ["in/a.txt", "a.txt", "state/artifacts/b.txt"].map(str::to_owned);
        let copied = staging.stage_archive(&ws, &paths, last).unwrap();
        let mut bytes = Vec::new();
        staging.open(&copied.name).unwrap().read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(["a.txt", "a-2.txt", "b.txt"].iter().all(|name| text.contains(name)));
        let why = staging.stage_archive(&ws, &["in/a.txt".to_owned(), "../x".to_owned()], last).unwrap_err();
        assert!(why.contains("../x") && why.contains("no such file"), "{why}");
    }
}
