//! One-shot shell commands: the web sends a script, and gets its exit code and the end of its output.

use super::event::FrameSink;
use super::{child, env, readonly};
use crate::sys::program_path::find_program;
use crate::sys::{child_process, thread};
use crate::wire::host_frames::{CommandResult, HostRequest};
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) use super::child::ChildStopper;
use super::child::Retain;

/// Reads the script from stdin and runs it: on the command line other users of the machine could read it, and the
/// script of "Clone Agent" has a token in it. Its commands find their stdin at its end.
const RUN_STDIN: &str = "script=$(cat) && eval \"$script\"";
/// An exit code of shells: found, but may not be run.
const NOT_EXECUTABLE: i32 = 126;

/// What is to be run.
pub(super) struct ShellJob {
    pub(super) command: String,
    pub(super) readonly: bool,
    pub(super) cwd: PathBuf,
    pub(super) base_url: String,
    pub(super) timeout: Duration,
    pub(super) max_chars: usize,
}

/// Runs it on a thread of its own, which sends the answer.
pub(super) fn start(
    job: ShellJob,
    call: HostRequest,
    out: Arc<dyn FrameSink>,
    over: impl FnOnce() + Send + 'static,
) -> io::Result<ChildStopper> {
    let (stop, wake) = ChildStopper::new()?;
    let handle = stop.clone();
    thread::spawn_small("host/job", move || {
        let answer = match run(&job, &stop, wake) {
            Ok(done) => call.answer(!done.timed_out, done.fields()),
            Err(why) => call.refuse("cannot_run", &why),
        };
        if let Some(frame) = answer {
            out.send(frame);
        }
        over();
    })?;
    Ok(handle)
}

fn run(
    job: &ShellJob,
    stop: &ChildStopper,
    wake: crate::sys::poll::WakeReceiver,
) -> Result<CommandResult, String> {
    let words = if job.readonly { readonly::parse_command(&job.command) } else { Ok(Vec::new()) };
    let words = match words {
        Ok(words) => words,
        Err(why) => {
            return Ok(CommandResult {
                exit_code: NOT_EXECUTABLE,
                stderr: format!("{why}\n"),
                ..CommandResult::default()
            });
        }
    };
    let program = match words.first() {
        Some(name) => {
            find_program(OsStr::new(name)).ok_or_else(|| format!("{name} is not installed here"))?
        }
        None => env::command_shell(),
    };
    let mut command = child_process::command(&program, &job.cwd);
    command.env_clear().envs(env::variables(&job.base_url)).env("PWD", &job.cwd);
    let input = if words.is_empty() {
        command.args(["-c", RUN_STDIN]);
        job.command.as_bytes()
    } else {
        command.args(&words[1..]).envs([("PAGER", "cat"), ("GIT_PAGER", "cat"), ("GIT_OPTIONAL_LOCKS", "0")]);
        &[]
    };
    let end = child::run(&mut command, input, job.timeout, Retain::End(job.max_chars), stop, wake)
        .map_err(|e| format!("cannot run {}: {e}", program.display()))?;
    if end.stopped {
        return Err("The connector was stopped while the command ran.".to_owned());
    }
    let ((stdout, out_cut), (stderr, err_cut)) = (end.out.text(), end.err.text());
    log::info!(target: "host", "a shell command ended with code {}", end.code);
    Ok(CommandResult {
        exit_code: end.code,
        stdout,
        stderr,
        timed_out: end.timed_out,
        truncated: out_cut || err_cut,
    })
}
