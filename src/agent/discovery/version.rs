//! What an installed CLI says of itself (`--version`, `--help`), for adapters whose one name stands for several programs.
//!
//! It is asked once for each installed file, known by path, size and times, and kept in memory: a new release is a new
//! file, and the first turn after a restart pays a second. Adapters without flavours are never asked before a turn.

use crate::agent::adapter::AdapterSpec;
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::helper_command;
use crate::agent::helper_command::HelperError;
use crate::secret::Secret;
use crate::sys::thread;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// There are as many programs as adapters with flavours; more are former releases.
const MAX_KNOWN: usize = 32;

/// What the program printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramAnswers {
    /// For `--version`: stdout, then stderr.
    pub version: String,
    /// The same for `--help`; empty when it did not answer.
    pub help: String,
}

/// One of the programs that an adapter's name stands for.
#[derive(Debug, Clone, Copy)]
pub struct Flavour {
    /// What `doctor` calls it; empty where there is only one.
    pub name: &'static str,
    /// How it is driven. Its `name` is the adapter's; its `session_key` is its own when it cannot resume the other's sessions.
    pub spec: &'static AdapterSpec,
}

/// Tells the flavour, or says in one sentence why the program cannot be driven ([`AdapterSpec::flavour`]).
pub type DetectFlavor = fn(&ProgramAnswers) -> Result<Flavour, String>;

/// A file that is replaced gets another one of these, whatever its package manager does with the times.
type FileStamp = [i64; 5];

static KNOWN: Mutex<BTreeMap<String, (FileStamp, Arc<ProgramAnswers>)>> = Mutex::new(BTreeMap::new());

/// The flavour that is installed; the adapter itself when it has only one, or when there is no program, which the
/// runner says better. Blocks for some seconds when the program has not been asked yet.
pub fn flavour(
    spec: &'static AdapterSpec,
    command: &[String],
    env: &BTreeMap<String, Secret>,
) -> Result<Flavour, String> {
    let only = Flavour { name: "", spec };
    let Some(tell) = spec.flavour else { return Ok(only) };
    let Ok(program) = locate::locate(spec, command) else { return Ok(only) };
    let about = about(&program, env).map_err(|trouble| {
        format!("which {} it is cannot be told: `--version` {trouble}", program.path.display())
    })?;
    tell(&about)
}

fn about(program: &Program, env: &BTreeMap<String, Secret>) -> Result<Arc<ProgramAnswers>, HelperError> {
    let name = [&[program.path.to_string_lossy().into_owned()][..], &program.leading].concat().join("\n");
    let stamp = stamp(program);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((same, about)) = known().get(&name)
        && Some(*same) == stamp
    {
        return Ok(about.clone());
    }
    let about = Arc::new(ask(program, env)?);
    if let Some(stamp) = stamp {
        let mut known = known();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(name, (stamp, about.clone()));
    }
    Ok(about)
}

fn stamp(program: &Program) -> Option<FileStamp> {
    let meta = std::fs::metadata(&program.path).ok()?;
    let [size, inode] = [meta.size(), meta.ino()].map(u64::cast_signed);
    Some([size, inode, meta.mtime(), meta.ctime(), meta.ctime_nsec()])
}

/// Both questions side by side: a Node CLI takes a second for each.
fn ask(program: &Program, env: &BTreeMap<String, Secret>) -> Result<ProgramAnswers, HelperError> {
    let help = Arc::new(OnceLock::new());
    let (asked, with, to) = (program.clone(), env.clone(), help.clone());
    let thread = thread::spawn_small("about", move || {
        drop(to.set(helper_command::query(&asked, &["--help"], &with)));
    });
    let thread = thread.map_err(|e| HelperError::CannotRun(format!("cannot be asked: {e}")))?;
    let both = |said: &helper_command::HelperOutput| format!("{}{}", said.stdout, said.stderr);
    let version = helper_command::query(program, &["--version"], env).map(|said| both(&said));
    // A thread of ours is not left behind, whatever the first question came to.
    let _ = thread.join();
    let help = help.get().and_then(|said| said.as_ref().ok()).map(both).unwrap_or_default();
    Ok(ProgramAnswers { version: version?, help })
}
