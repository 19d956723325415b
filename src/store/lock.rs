//! One process per profile: flock on a file that is never removed.
//!
//! The lock dies with the process, so there is no stale lock. The pid inside is a hint for people only.
//! The file is never unlinked: two processes could then hold locks on two inodes of one name.

use fs2::FileExt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// A lock that is held is tried again so often: [`holder`] holds it for some microseconds.
const ATTEMPTS: u32 = 4;
/// Between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Held for the life of the daemon. std opens files close-on-exec, so an agent that outlives us does not keep it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it, with the pid it wrote (if readable).
    Held(Option<u32>),
    /// The file cannot be opened or locked.
    Io(io::Error),
}

/// Takes the lock or says who has it. Nothing is truncated before the lock is held.
pub fn acquire(path: &Path) -> Result<Lock, LockError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(LockError::Io)?;
    let mut locked = FileExt::try_lock_exclusive(&file);
    for _ in 1..ATTEMPTS {
        if locked.is_ok() {
            break;
        }
        crate::sys::thread::sleep(RETRY_DELAY);
        locked = FileExt::try_lock_exclusive(&file);
    }
    if let Err(error) = locked {
        if error.kind() == fs2::lock_contended_error().kind() {
            return Err(LockError::Held(read_pid(&mut file)));
        }
        return Err(LockError::Io(error));
    }
    let _ = file.set_len(0);
    let _ = file.seek(SeekFrom::Start(0));
    let _ = writeln!(file, "{}", std::process::id());
    Ok(Lock { _file: file })
}

/// The pid of the process that holds the lock of a profile, if one does (for `doctor`).
pub fn holder(path: &Path) -> Option<u32> {
    let mut file = OpenOptions::new().read(true).open(path).ok()?;
    match FileExt::try_lock_shared(&file) {
        Ok(()) => None,
        Err(_) => read_pid(&mut file),
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
