//! Detects which program is installed, for adapters whose one name stands for several (flavors), from what the program
//! prints for `--version` and `--help`.
//!
//! Each installed file, known by path, size and times, is asked once, and the answers are kept in memory: a new release is
//! a new file, and the first turn after a restart takes a second longer. Adapters without flavors are not asked before a
//! turn.

use crate::agent::adapter::{AdapterSpec, Flavor, ProgramAnswers};
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::discovery::query::query;
use crate::agent::helper_command::{HelperError, HelperOutput};
use crate::secret::Secret;
use crate::sys::thread;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How many files are remembered. There are as many programs as adapters with flavors; the others are former releases.
const MAX_CACHED: usize = 32;

/// Identifies the contents of a file: size, inode and times. A replaced file differs in at least one of them, whatever its
/// package manager does with the times.
type FileStamp = [i64; 5];

/// Answers by program and leading arguments.
static CACHE: Mutex<BTreeMap<String, (FileStamp, Arc<ProgramAnswers>)>> = Mutex::new(BTreeMap::new());

/// The installed flavor. It is the adapter itself if the adapter has only one flavor, or if there is no program, which the
/// runner reports better. Blocks for some seconds if the program has not been asked yet. The error is one sentence for
/// people: why the program cannot be used.
pub fn flavor(
    spec: &'static AdapterSpec,
    command: &[String],
    env: &BTreeMap<String, Secret>,
) -> Result<Flavor, String> {
    let only = Flavor { name: "", spec };
    let Some(detect) = spec.flavor else { return Ok(only) };
    let Ok(program) = locate::locate(spec, command) else { return Ok(only) };
    let answers = cached_answers(&program, env).map_err(|error| {
        format!("cannot tell which {} it is: `--version` {error}", program.path.display())
    })?;
    detect(&answers)
}

fn cached_answers(
    program: &Program,
    env: &BTreeMap<String, Secret>,
) -> Result<Arc<ProgramAnswers>, HelperError> {
    let key = [&[program.path.to_string_lossy().into_owned()][..], &program.leading].concat().join("\n");
    let stamp = file_stamp(program);
    let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((cached_stamp, answers)) = cache().get(&key)
        && Some(*cached_stamp) == stamp
    {
        return Ok(answers.clone());
    }
    let answers = Arc::new(ask(program, env)?);
    if let Some(stamp) = stamp {
        let mut cache = cache();
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(key, (stamp, answers.clone()));
    }
    Ok(answers)
}

fn file_stamp(program: &Program) -> Option<FileStamp> {
    let meta = std::fs::metadata(&program.path).ok()?;
    let [size, inode] = [meta.size(), meta.ino()].map(u64::cast_signed);
    Some([size, inode, meta.mtime(), meta.ctime(), meta.ctime_nsec()])
}

/// Runs both queries at the same time: a Node CLI takes a second for each.
fn ask(program: &Program, env: &BTreeMap<String, Secret>) -> Result<ProgramAnswers, HelperError> {
    let help = Arc::new(OnceLock::new());
    let (thread_program, thread_env, result) = (program.clone(), env.clone(), help.clone());
    let thread = thread::spawn_small("about", move || {
        drop(result.set(query(&thread_program, &["--help"], &thread_env)));
    });
    let thread = thread.map_err(|e| HelperError::CannotRun(format!("cannot be asked: {e}")))?;
    let text = |output: &HelperOutput| format!("{}{}", output.stdout, output.stderr);
    let version = query(program, &["--version"], env).map(|output| text(&output));
    // Do not leave the thread behind, even if the first query failed.
    let _ = thread.join();
    let help = help.get().and_then(|output| output.as_ref().ok()).map(text).unwrap_or_default();
    Ok(ProgramAnswers { version: version?, help })
}
