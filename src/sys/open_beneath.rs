//! Opens a file beneath a folder so that no symbolic link on the path leads out of it, not even one that is created meanwhile.
//!
//! Each component is opened relative to the one before, and none may be a link: what was checked is what is read. openat2(2) with
//! RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS does the same, but this works on every kernel and in every container.

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, statat};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

/// Why a file was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// It is not a regular file but a folder, a pipe, a device, a socket or a link.
    NotRegularFile,
    /// The path contains `..` or a link.
    UnsafePath,
    /// The system refused to open it.
    Io(io::Error),
}

impl From<rustix::io::Errno> for OpenError {
    fn from(error: rustix::io::Errno) -> OpenError {
        use rustix::io::Errno;
        match error {
            // the errors of open(2) for a link with O_NOFOLLOW, and for a component that is no folder
            Errno::LOOP | Errno::MLINK | Errno::NOTDIR => OpenError::UnsafePath,
            other => OpenError::Io(other.into()),
        }
    }
}

/// Opens the regular file `rest` beneath `root` for reading. `root` must not be a link itself.
pub fn open(root: &Path, rest: &Path) -> Result<File, OpenError> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder_fd: OwnedFd = rustix::fs::open(root, folder, Mode::empty())?;
    let mut parts = rest.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(OpenError::UnsafePath) };
        if parts.peek().is_some() {
            folder_fd = openat(&folder_fd, name, folder, Mode::empty())?;
            continue;
        }
        // Opening a device can have effects. This check avoids most of them; the check that counts follows the open.
        let status = statat(&folder_fd, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotRegularFile);
        }
        // NONBLOCK: do not wait for the other end of a pipe
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&folder_fd, name, flags, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotRegularFile);
        }
        return Ok(File::from(file));
    }
    Err(OpenError::NotRegularFile)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn text(opened: Result<File, OpenError>) -> String {
        let mut text = String::new();
        opened.unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn only_regular_files_without_links_on_the_path_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "in").unwrap();
        fs::write(dir.path().join("secret"), "out").unwrap();
        symlink(dir.path().join("secret"), root.join("link")).unwrap();
        symlink(dir.path(), root.join("up")).unwrap();
        symlink("a", root.join("same")).unwrap();
        assert_eq!(text(open(&root, Path::new("a/b/file"))), "in");
        assert_eq!(text(open(&root, Path::new("a/./b/file"))), "in");
        for path in ["../secret", "a/../a/b/file", "/etc/hostname", "up/secret", "same/b/file", "a/b/file/x"]
        {
            assert!(matches!(open(&root, Path::new(path)), Err(OpenError::UnsafePath)), "{path}");
        }
        for path in ["link", "a", "a/b", ""] {
            assert!(matches!(open(&root, Path::new(path)), Err(OpenError::NotRegularFile)), "{path}");
        }
        assert!(matches!(open(&root, Path::new("none")), Err(OpenError::Io(_))));
        assert!(matches!(open(&root.join("same"), Path::new("b/file")), Err(OpenError::UnsafePath)));
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        assert!(matches!(open(&root, Path::new("socket")), Err(OpenError::NotRegularFile)));
        let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status();
        if made.is_ok_and(|status| status.success()) {
            // no process ever opens the other end
            assert!(matches!(open(&root, Path::new("pipe")), Err(OpenError::NotRegularFile)));
        }
        assert!(matches!(open(Path::new("/dev"), Path::new("zero")), Err(OpenError::NotRegularFile)));
    }

    /// A folder is replaced by a link ten thousand times while another thread opens a file in it.
    #[test]
    fn a_swapped_link_is_never_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        for folder in ["root/in", "out"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(root.join("in/file"), "in").unwrap();
        fs::write(dir.path().join("out/file"), "out").unwrap();
        let done = AtomicBool::new(false);
        let (mut opened, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (path, moved) = (root.join("in"), root.join("moved"));
                for _ in 0..10_000 {
                    fs::rename(&path, &moved).unwrap();
                    symlink("../out", &path).unwrap();
                    fs::remove_file(&path).unwrap();
                    fs::rename(&moved, &path).unwrap();
                }
                done.store(true, Ordering::Release);
            });
            while !done.load(Ordering::Acquire) {
                match open(&root, Path::new("in/file")) {
                    Ok(file) => {
                        assert_eq!(text(Ok(file)), "in");
                        opened += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        });
        assert!(opened + refused > 0 && text(open(&root, Path::new("in/file"))) == "in");
    }
}
