//! What `doctor` wants to know of a CLI without starting a turn: where it is, its version, whether it is logged in.

use crate::agent::program::{self, Program};
use crate::agent::spec::{AdapterSpec, Login};
use crate::sys::family::{Family, Mark, Spare};
use crate::sys::lines::{self, Line};
use crate::sys::proc::{self, Ended, Running, Sig};
use crate::sys::{id, thread};
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long a CLI may take to print its version or login state. Node CLIs need about a second on a cold disk.
const LIMIT: Duration = Duration::from_secs(5);

/// How long output may still come after the exit.
const DRAIN: Duration = Duration::from_millis(200);

/// No status is longer; the rest is not read.
const MAX_OUTPUT: usize = 64 << 10;

/// What was found of one adapter's CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The program that a turn would start; `None` when there is none.
    pub path: Option<PathBuf>,
    /// Why there is none, or why it cannot be used; empty when all is well.
    pub trouble: String,
    /// The first line of `--version`.
    pub version: Option<String>,
    /// Whether a turn would find a login.
    pub login: Login,
}

/// Looks at one adapter. `command` as in [`crate::agent::run::Runner`]. Takes at most twice five seconds.
pub fn probe(spec: &AdapterSpec, command: &[String]) -> Probe {
    let program = match program::locate(spec, command) {
        Ok(program) => program,
        Err(trouble) => return Probe { path: None, trouble, version: None, login: Login::Unknown },
    };
    let path = Some(program.path.clone());
    let version = match version(&program) {
        Ok(version) => version,
        Err(trouble) => return Probe { path, trouble, version: None, login: Login::Unknown },
    };
    let login = spec.login_query.map_or(Login::Unknown, |query| match query_of(&program, query.args) {
        Ok(said) => (query.read)(said.code, &said.stdout, &said.stderr),
        Err(_) => Login::Unknown,
    });
    Probe { path, trouble: String::new(), version, login }
}

/// The first line of `--version`, or why there is none. Takes at most five seconds.
pub fn version(program: &Program) -> Result<Option<String>, String> {
    let said = query_of(program, &["--version"])?;
    if said.code == Some(0) {
        return Ok(said.stdout.lines().find(|l| !l.trim().is_empty()).map(|l| l.trim().to_owned()));
    }
    let mut lines = said.stderr.lines().chain(said.stdout.lines());
    let words = lines.find(|l| !l.trim().is_empty()).unwrap_or("it said nothing").trim();
    let code = said.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    Err(format!("`--version` failed with {code}: {words}"))
}

fn query_of(program: &Program, args: &[&str]) -> Result<Said, String> {
    let args: Vec<&str> = program.leading.iter().map(String::as_str).chain(args.iter().copied()).collect();
    ask(&program.path, &args)
}

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program to its end, or to [`LIMIT`], without stdin. Nothing of it is left afterwards.
fn ask(program: &Path, args: &[&str]) -> Result<Said, String> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mark = Mark::new("probe", &id::hex());
    let mut cmd = proc::command(program, &here);
    cmd.args(args).env(proc::RUN_MARK, mark.value());
    cmd.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running::spawn(&mut cmd).map_err(|e| format!("cannot be started: {e}"))?;
    let mut family = Family::new(mark, child.id());
    let (_, stdout, stderr) = child.pipes();
    let (tell, heard) = bounded(8);
    let wrong = |e: std::io::Error| format!("cannot be watched: {e}");
    let exited = tell.clone();
    child.watch(move || drop(exited.send(None))).map_err(wrong)?;
    let (out, err) = (tell.clone(), tell);
    let reader =
        |pipe: Option<Box<dyn std::io::Read + Send>>, is_err: bool, tell: crossbeam_channel::Sender<_>| {
            thread::spawn_small("probe", move || {
                if let Some(pipe) = pipe {
                    lines::read_lines(pipe, lines::MAX_STDERR_LINE, |batch| {
                        tell.send(Some((is_err, batch))).is_ok()
                    });
                }
            })
        };
    reader(stdout.map(|p| Box::new(p) as _), false, out).map_err(wrong)?;
    reader(stderr.map(|p| Box::new(p) as _), true, err).map_err(wrong)?;

    let mut said = [String::new(), String::new()];
    let mut until = Instant::now() + LIMIT;
    let mut exited = false;
    let in_time = loop {
        match heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Some((is_err, batch))) => {
                let text = &mut said[usize::from(is_err)];
                for Line::Text(line) | Line::TooLong { head: line, .. } in batch {
                    if text.len() + line.len() < MAX_OUTPUT {
                        text.push_str(&line);
                        text.push('\n');
                    }
                }
            }
            Ok(None) => (exited, until) = (true, Instant::now() + DRAIN),
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break exited,
        }
    };
    if !in_time {
        family.look();
        child.signal_group(Sig::Kill);
    }
    let ended = child.reap().map_err(wrong)?;
    family.end(Spare::Nothing);
    if !in_time {
        return Err(format!("did not answer within {} s", LIMIT.as_secs()));
    }
    let [stdout, stderr] = said;
    let code = match ended {
        Ended::Code(code) => Some(code),
        Ended::Signal(_) => None,
    };
    Ok(Said { code, stdout, stderr })
}
