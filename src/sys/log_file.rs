//! Log files, for where no journal collects the log: a current file and two older ones, none larger than 10 MiB.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the current file, in the state directory.
pub const FILE_NAME: &str = "wtt-connect.log";
/// The size in bytes at which a file is rotated.
const MAX_BYTES: u64 = 10 << 20;

/// The paths of all files, newest first. The older ones may not exist.
pub fn paths(newest: &Path) -> [PathBuf; 3] {
    ["", ".1", ".2"].map(|suffix| {
        let mut name = newest.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// A writer that appends to the current file and rotates it when it is full.
#[derive(Debug)]
pub struct LogFile {
    files: [PathBuf; 3],
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Opens or creates the file; only its owner can read it.
    ///
    /// # Errors
    /// When the directory or the file cannot be created.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let folder = path.parent().unwrap_or(path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(LogFile { bytes: file.metadata()?.len(), file, files: paths(path) })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let [newest, older, oldest] = &self.files;
        let _ = fs::rename(older, oldest);
        fs::rename(newest, older)?;
        *self = LogFile::open(newest)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > MAX_BYTES && self.rotate().is_err() {
            // The disk refuses: continue in the same file.
            self.bytes = 0;
        }
        let n = self.file.write(line)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join(FILE_NAME);
        let line = vec![b'x'; 1 << 20];
        for round in 0..5_u8 {
            let mut log = LogFile::open(&path).unwrap();
            for _ in 0..9 {
                log.write_all(&line).unwrap();
            }
            log.write_all(&[b'0' + round, b'\n']).unwrap();
        }
        let sizes: Vec<u64> = paths(&path).iter().map(|file| fs::metadata(file).unwrap().len()).collect();
        assert!(sizes.iter().all(|size| *size > 0 && *size <= MAX_BYTES), "{sizes:?}");
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 3);
        assert!(fs::read(&path).unwrap().ends_with(b"4\n"), "the newest line is in the newest file");
    }
}
