//! Runs a helper program to its end: a query of a CLI (`--version`), the model switcher, a speech recognizer.
//!
//! Our secrets are not in its environment, its time is limited, and no process of it is left afterwards.

use crate::agent::runner::messages::Control;
use crate::secret::Secret;
use crate::sys::child_process::{self, ChildExit, ChildGroup, ChildSignal};
use crate::sys::line_reader::{self, Line};
use crate::sys::process_tree::{KillScope, OwnerTag, ProcessTree};
use crate::sys::{id, thread};
use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long output is still read after the exit; a descendant can hold the pipes open.
const DRAIN: Duration = Duration::from_millis(200);

/// The time between SIGTERM and SIGKILL, for a program that is writing a file.
const TERM_WAIT: Duration = Duration::from_millis(500);

/// Bytes of stdout and of stderr that are kept. No answer that we need is longer.
const MAX_OUTPUT: usize = 64 << 10;

/// A program and how to run it.
#[derive(Debug)]
pub struct HelperCommand<'a> {
    /// Absolute path of the program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that our own environment does not have.
    pub env: &'a BTreeMap<String, Secret>,
    /// What it reads on stdin; if empty, stdin is `/dev/null`.
    pub input: &'a str,
    /// Its working directory.
    pub workdir: &'a Path,
    /// Owner tag of its processes, as in [`crate::agent::runner::Runner`].
    pub owner: &'a str,
    /// How long it may take.
    pub limit: Duration,
    /// Control requests of the turn that it belongs to. Any of them stops the program.
    pub stop: Option<&'a Receiver<Control>>,
}

/// What a helper printed, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelperOutput {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl HelperOutput {
    /// The line that says most about a failure: the first that begins with the name of an error, otherwise the first that
    /// is not empty. Stderr comes before stdout. Node and Python print a place and a line of source, or a whole stack, and
    /// `TypeError: …` after it.
    pub fn error_line(&self) -> &str {
        let lines = || self.stderr.lines().chain(self.stdout.lines()).map(str::trim);
        let is_error =
            |line: &&str| line.split([' ', ':']).next().is_some_and(|word| word.ends_with("Error"));
        lines().find(is_error).or_else(|| lines().find(|l| !l.is_empty())).unwrap_or("it printed nothing")
    }

    /// `exit code 2` or `a signal`, to follow the words `ended with`.
    pub fn exit(&self) -> String {
        self.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
    }
}

/// Why there is no output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelperError {
    /// The program could not be run. The words follow its name.
    CannotRun(String),
    /// The program took longer than this and was ended.
    TimedOut(Duration),
    /// The turn was stopped, and the program with it.
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

/// What happened to the program.
enum HelperEvent {
    Stdout(Vec<Line>),
    Stderr(Vec<Line>),
    Exited,
}

/// Runs the command. Blocks until the program and everything that it has started are gone.
pub fn run_to_end(command: HelperCommand<'_>) -> Result<HelperOutput, HelperError> {
    let tag = OwnerTag::new(command.owner, &id::hex());
    let mut cmd = child_process::command(command.program, command.workdir);
    for (name, value) in command.env.iter().filter(|(name, _)| !child_process::is_scrubbed(OsStr::new(name)))
    {
        cmd.env(name, value.expose());
    }
    cmd.args(&command.args).env(child_process::OWNER_TAG_VARIABLE, tag.as_str());
    cmd.stdin(if command.input.is_empty() { Stdio::null() } else { Stdio::piped() });
    cmd.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        ChildGroup::spawn(&mut cmd).map_err(|e| HelperError::CannotRun(format!("cannot be started: {e}")))?;
    let mut tree = ProcessTree::new(tag, child.id());
    let unwatched = |e: std::io::Error| HelperError::CannotRun(format!("cannot be watched: {e}"));
    let events = connect(&mut child, command.input.to_owned()).map_err(unwatched)?;

    let mut output = HelperOutput::default();
    let mut stop = command.stop.cloned().unwrap_or_else(never);
    let mut until = Instant::now() + command.limit;
    let mut has_exited = false;
    // Why the program is being ended, once it is.
    let mut error: Option<HelperError> = None;
    loop {
        let new_error = select_biased! {
            recv(stop) -> request => {
                stop = never();
                (request.is_ok() && !has_exited && error.is_none()).then_some(HelperError::Stopped)
            }
            recv(events) -> event => {
                match event {
                    Ok(HelperEvent::Stdout(batch)) => append(&mut output.stdout, batch),
                    Ok(HelperEvent::Stderr(batch)) => append(&mut output.stderr, batch),
                    Ok(HelperEvent::Exited) => (has_exited, until) = (true, Instant::now() + DRAIN),
                    // All threads have ended, so everything has been reported, the exit too.
                    Err(_) => break,
                }
                None
            }
            default(until.saturating_duration_since(Instant::now())) => {
                if has_exited || error.is_some() {
                    break;
                }
                Some(HelperError::TimedOut(command.limit))
            }
        };
        if new_error.is_some() {
            // What the program has put into other process groups can only be found while the program lives.
            tree.refresh();
            child.signal_group(ChildSignal::Term);
            (error, until) = (new_error, Instant::now() + TERM_WAIT);
        }
    }
    let ended = child.reap().map_err(unwatched)?;
    tree.kill(KillScope::Everything);
    if let Some(error) = error {
        return Err(error);
    }
    if let ChildExit::Code(code) = ended {
        output.code = Some(code);
    }
    Ok(output)
}

/// Starts the threads around the program. They end with its pipes.
fn connect(child: &mut ChildGroup, input: String) -> std::io::Result<Receiver<HelperEvent>> {
    let (stdin, stdout, stderr) = child.pipes();
    if let Some(mut stdin) = stdin {
        // A program that does not read all of its stdin has its reasons.
        thread::spawn_small("helper/stdin", move || drop(stdin.write_all(input.as_bytes())))?;
    }
    let (sender, events) = bounded(8);
    let exited = sender.clone();
    child.watch(move || drop(exited.send(HelperEvent::Exited)))?;
    read(stdout.map(|pipe| Box::new(pipe) as _), MAX_OUTPUT, HelperEvent::Stdout, sender.clone())?;
    read(stderr.map(|pipe| Box::new(pipe) as _), line_reader::MAX_STDERR_LINE, HelperEvent::Stderr, sender)?;
    Ok(events)
}

fn read(
    pipe: Option<Box<dyn Read + Send>>,
    max_line: usize,
    wrap: fn(Vec<Line>) -> HelperEvent,
    sender: Sender<HelperEvent>,
) -> std::io::Result<()> {
    let body = move || {
        if let Some(pipe) = pipe {
            line_reader::read_lines(pipe, max_line, |batch| sender.send(wrap(batch)).is_ok());
        }
    };
    thread::spawn_small("helper", body).map(drop)
}

/// Appends lines as long as there is room for them.
fn append(text: &mut String, batch: Vec<Line>) {
    for Line::Text(line) | Line::TooLong { head: line, .. } in batch {
        if text.len() + line.len() < MAX_OUTPUT {
            text.push_str(&line);
            text.push('\n');
        }
    }
}
