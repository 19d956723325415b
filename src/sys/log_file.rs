//! The log as files of our own, where no journal takes it: a file and two older ones, none larger than 10 MiB.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the newest one in the state directory.
pub const FILE_NAME: &str = "wtt-connect.log";
/// A file that has grown to this is put aside.
const MAX: u64 = 10 << 20;

/// The files, newest first; the older ones may be missing.
pub fn paths(newest: &Path) -> [PathBuf; 3] {
    ["", ".1", ".2"].map(|suffix| {
        let mut name = newest.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Appends, and puts a full file aside.
#[derive(Debug)]
pub struct LogFile {
    files: [PathBuf; 3],
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Opens or creates it, for its owner only.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let folder = path.parent().unwrap_or(path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(LogFile { bytes: file.metadata()?.len(), file, files: paths(path) })
    }

    fn turn(&mut self) -> io::Result<()> {
        let [newest, older, oldest] = &self.files;
        let _ = fs::rename(older, oldest);
        fs::rename(newest, older)?;
        *self = LogFile::open(newest)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > MAX && self.turn().is_err() {
            // the disk refuses: what is there stays, the log goes on in it
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
    fn three_files_and_no_more() {
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
        assert!(sizes.iter().all(|size| *size > 0 && *size <= MAX), "{sizes:?}");
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 3);
        assert!(fs::read(&path).unwrap().ends_with(b"4\n"), "the newest line is in the newest file");
    }
}
