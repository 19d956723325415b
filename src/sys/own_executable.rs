//! The executable of this process: whether it was replaced since the start, and executing the new one in this process.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A file that was changed less than this ago may still be in the process of being written.
const MIN_AGE: Duration = Duration::from_secs(5);

/// The identity of the executable when this process started.
#[derive(Debug, Clone)]
pub struct ExecutableSnapshot {
    path: PathBuf,
    identity: Option<[u64; 4]>,
}

impl ExecutableSnapshot {
    /// Takes the snapshot. Call it early in `main`.
    pub fn capture() -> ExecutableSnapshot {
        let exact = std::env::current_exe().unwrap_or_default();
        let identity = file_metadata(&exact).map(|meta| identity(&meta));
        // The name on the command line may be a link, which an update points to another file.
        let typed = std::env::args_os().next().and_then(|name| super::program_path::find_program(&name));
        let same = |path: &PathBuf| {
            identity.is_some() && file_metadata(path).map(|m| self::identity(&m)) == identity
        };
        ExecutableSnapshot { path: typed.filter(same).unwrap_or(exact), identity }
    }

    /// Whether another file, completely written, is at the path now.
    pub fn is_replaced(&self) -> bool {
        let Some(meta) = file_metadata(&self.path) else { return false };
        let is_written =
            meta.modified().ok().and_then(|at| at.elapsed().ok()).is_none_or(|age| age > MIN_AGE);
        self.identity.is_some_and(|old| old != identity(&meta)) && is_written
    }

    /// Executes the file that is at the path now in this process, with the same arguments and one more environment variable.
    /// Returns only if that fails.
    #[allow(clippy::disallowed_methods)] // not a child: this process becomes that program
    pub fn exec_replacement(&self, name: &str, value: &str) -> io::Error {
        Command::new(&self.path).args(std::env::args_os().skip(1)).env(name, value).exec()
    }
}

/// Replaces this process by another program, for commands that only call it. Returns only if that fails.
#[allow(clippy::disallowed_methods)] // not a child, and the terminal stays with this process
pub fn exec_program(program: &Path, args: &[String]) -> io::Error {
    Command::new(program).args(args).exec()
}

fn file_metadata(path: &Path) -> Option<Metadata> {
    std::fs::metadata(path).ok().filter(Metadata::is_file)
}

fn identity(meta: &Metadata) -> [u64; 4] {
    let changed = meta.mtime().cast_unsigned() ^ meta.mtime_nsec().cast_unsigned();
    [meta.dev(), meta.ino(), meta.len(), changed]
}
