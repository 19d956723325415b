//! Runs a program beside the turns, to its end: a question to a CLI (`--version`), the model switcher.
//!
//! Stdin holds what it is given, or nothing; our secrets are not in its environment, its time is limited, and nothing of it is left afterwards.

use crate::agent::discovery::locate::Program;
use crate::agent::runner::Control;
use crate::secret::Secret;
use crate::sys::child_process::{self, ChildExit, ChildGroup, ChildSignal};
use crate::sys::line_reader::{self, Line};
use crate::sys::process_tree::{KillScope, OwnerTag, ProcessTree};
use crate::sys::{id, thread};
use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long output may still come after the exit.
const DRAIN: Duration = Duration::from_millis(200);

/// A program that is writing a file gets so long to finish it between SIGTERM and SIGKILL.
const POLITE: Duration = Duration::from_millis(500);

/// How long a CLI may take for a [`question`]. Node CLIs need about a second on a cold disk, and more than twenty have
/// been seen on a small host with many agents at work; a turn that must know the flavour would fail then.
const QUESTION: Duration = Duration::from_secs(45);

/// Nothing that is asked for is longer; the rest is not kept.
const MAX_OUTPUT: usize = 64 << 10;

/// What to run.
#[derive(Debug)]
pub struct HelperCommand<'a> {
    /// The program, absolute.
    pub program: &'a Path,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that our own environment does not have.
    pub env: &'a BTreeMap<String, Secret>,
    /// What it reads on its standard input.
    pub input: &'a str,
    /// Its directory.
    pub workdir: &'a Path,
    /// Owner marker for the sweep, as in [`crate::agent::runner::Runner`].
    pub owner: &'a str,
    /// The longest that it may take.
    pub limit: Duration,
    /// Stop requests of the turn that it belongs to.
    pub stop: Option<&'a Receiver<Control>>,
}

/// What it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelperOutput {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl HelperOutput {
    /// The first line that begins with the name of an error, else the first that is not empty; of stderr before stdout.
    /// Node and Python print the place and a line of source before (or a whole stack) and `TypeError: …` after it.
    pub fn complaint(&self) -> &str {
        let lines = || self.stderr.lines().chain(self.stdout.lines()).map(str::trim);
        let is_error =
            |line: &&str| line.split([' ', ':']).next().is_some_and(|word| word.ends_with("Error"));
        lines().find(is_error).or_else(|| lines().find(|l| !l.is_empty())).unwrap_or("it said nothing")
    }

    /// `exit code 2`, or that a signal ended it.
    pub fn exit(&self) -> String {
        self.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelperError {
    /// It could not be run: why.
    CannotRun(String),
    /// It took too long, and was ended.
    TimedOut(Duration),
    /// The turn was stopped; the program was ended.
    Stopped,
}

impl std::fmt::Display for HelperError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HelperError::CannotRun(why) => f.write_str(why),
            HelperError::TimedOut(limit) => {
                write!(f, "did not answer within {}", humantime::format_duration(*limit))
            }
            HelperError::Stopped => f.write_str("was stopped"),
        }
    }
}

/// What the threads around the program tell.
enum HelperEvent {
    Stdout(Vec<Line>),
    Stderr(Vec<Line>),
    Exited,
}

/// Asks a CLI one thing about itself.
pub fn query(
    program: &Program,
    args: &[&str],
    env: &BTreeMap<String, Secret>,
) -> Result<HelperOutput, HelperError> {
    let leading = program.leading.iter().map(OsString::from);
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    run_to_end(HelperCommand {
        program: &program.path,
        args: leading.chain(args.iter().map(OsString::from)).collect(),
        env,
        input: "",
        workdir: &here,
        owner: "probe",
        limit: QUESTION,
        stop: None,
    })
}

/// Runs it. Blocks.
pub fn run_to_end(aside: HelperCommand<'_>) -> Result<HelperOutput, HelperError> {
    let mark = OwnerTag::new(aside.owner, &id::hex());
    let mut cmd = child_process::command(aside.program, aside.workdir);
    for (name, value) in aside.env.iter().filter(|(name, _)| !child_process::is_scrubbed(OsStr::new(name))) {
        cmd.env(name, value.expose());
    }
    cmd.args(&aside.args).env(child_process::OWNER_TAG_VARIABLE, mark.as_str());
    cmd.stdin(if aside.input.is_empty() { Stdio::null() } else { Stdio::piped() });
    cmd.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        ChildGroup::spawn(&mut cmd).map_err(|e| HelperError::CannotRun(format!("cannot be started: {e}")))?;
    let mut tree = ProcessTree::new(mark, child.id());
    let wrong = |e: std::io::Error| HelperError::CannotRun(format!("cannot be watched: {e}"));
    let heard = listen(&mut child, aside.input.to_owned()).map_err(wrong)?;

    let mut said = HelperOutput::default();
    let mut stop = aside.stop.cloned().unwrap_or_else(never);
    let mut until = Instant::now() + aside.limit;
    let mut exited = false;
    let mut trouble: Option<HelperError> = None;
    loop {
        let over = select_biased! {
            recv(stop) -> asked => {
                stop = never();
                (asked.is_ok() && !exited && trouble.is_none()).then_some(HelperError::Stopped)
            }
            recv(heard) -> batch => {
                match batch {
                    Ok(HelperEvent::Stdout(batch)) => keep(&mut said.stdout, batch),
                    Ok(HelperEvent::Stderr(batch)) => keep(&mut said.stderr, batch),
                    Ok(HelperEvent::Exited) => (exited, until) = (true, Instant::now() + DRAIN),
                    // Everything has been told, the exit too.
                    Err(_) => break,
                }
                None
            }
            default(until.saturating_duration_since(Instant::now())) => {
                if exited || trouble.is_some() {
                    break;
                }
                Some(HelperError::TimedOut(aside.limit))
            }
        };
        if over.is_some() {
            // Descendants in other process groups can be found only while their parents live.
            tree.refresh();
            child.signal_group(ChildSignal::Term);
            (trouble, until) = (over, Instant::now() + POLITE);
        }
    }
    let ended = child.reap().map_err(wrong)?;
    tree.kill(KillScope::Everything);
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    if let ChildExit::Code(code) = ended {
        said.code = Some(code);
    }
    Ok(said)
}

/// Starts the threads that tell; they end with the pipes of the program.
fn listen(child: &mut ChildGroup, input: String) -> std::io::Result<Receiver<HelperEvent>> {
    let (stdin, stdout, stderr) = child.pipes();
    if let Some(mut stdin) = stdin {
        // a program that does not read it all has its reasons
        thread::spawn_small("aside/stdin", move || drop(stdin.write_all(input.as_bytes())))?;
    }
    let (tell, heard) = bounded(8);
    let exited = tell.clone();
    child.watch(move || drop(exited.send(HelperEvent::Exited)))?;
    read(stdout.map(|pipe| Box::new(pipe) as _), MAX_OUTPUT, HelperEvent::Stdout, tell.clone())?;
    read(stderr.map(|pipe| Box::new(pipe) as _), line_reader::MAX_STDERR_LINE, HelperEvent::Stderr, tell)?;
    Ok(heard)
}

fn read(
    pipe: Option<Box<dyn Read + Send>>,
    longest: usize,
    wrap: fn(Vec<Line>) -> HelperEvent,
    tell: Sender<HelperEvent>,
) -> std::io::Result<()> {
    let body = move || {
        if let Some(pipe) = pipe {
            line_reader::read_lines(pipe, longest, |batch| tell.send(wrap(batch)).is_ok());
        }
    };
    thread::spawn_small("aside", body).map(drop)
}

fn keep(text: &mut String, batch: Vec<Line>) {
    for Line::Text(line) | Line::TooLong { head: line, .. } in batch {
        if text.len() + line.len() < MAX_OUTPUT {
            text.push_str(&line);
            text.push('\n');
        }
    }
}
