//! Our own program file: whether it was replaced since we started, and starting it again in this process.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A file that was changed a moment ago may still be written.
const SETTLED: Duration = Duration::from_secs(5);

/// The program file as it was when this process started.
#[derive(Debug, Clone)]
pub struct ExecutableSnapshot {
    path: PathBuf,
    identity: Option<[u64; 4]>,
}

impl ExecutableSnapshot {
    /// The one of this process. Call it early.
    pub fn capture() -> ExecutableSnapshot {
        let exact = std::env::current_exe().unwrap_or_default();
        let identity = look(&exact).map(|meta| identity(&meta));
        // The name that was typed may be a link, which an update makes point elsewhere.
        let typed = std::env::args_os().next().and_then(|name| super::program_path::find_program(&name));
        let same = |path: &PathBuf| identity.is_some() && look(path).map(|m| self::identity(&m)) == identity;
        ExecutableSnapshot { path: typed.filter(same).unwrap_or(exact), identity }
    }

    /// Whether another file lies there now, completely.
    pub fn is_replaced(&self) -> bool {
        let Some(meta) = look(&self.path) else { return false };
        let settled = meta.modified().ok().and_then(|at| at.elapsed().ok()).is_none_or(|age| age > SETTLED);
        self.identity.is_some_and(|old| old != identity(&meta)) && settled
    }

    /// Starts the program that lies there now in this process, with the same arguments and one more variable in its
    /// environment. Returns only when that fails.
    #[allow(clippy::disallowed_methods)] // no child: this process goes on as that program
    pub fn exec_replacement(&self, name: &str, value: &str) -> io::Error {
        Command::new(&self.path).args(std::env::args_os().skip(1)).env(name, value).exec()
    }
}

/// Replaces this process by another program, for commands that only hand over. Returns only when that fails.
#[allow(clippy::disallowed_methods)] // no child, and the terminal stays this process's
pub fn exec_program(program: &Path, args: &[String]) -> io::Error {
    Command::new(program).args(args).exec()
}

fn look(path: &Path) -> Option<Metadata> {
    std::fs::metadata(path).ok().filter(Metadata::is_file)
}

fn identity(meta: &Metadata) -> [u64; 4] {
    let changed = meta.mtime().cast_unsigned() ^ meta.mtime_nsec().cast_unsigned();
    [meta.dev(), meta.ino(), meta.len(), changed]
}
