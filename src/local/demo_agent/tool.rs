//! The one tool of the demonstration agent: a real child process whose output is captured.

use crate::sys::child_process::{self, ChildExit, ChildGroup, ChildSignal, OWNER_TAG_VARIABLE};
use crate::sys::signal::Signal;
use crate::sys::thread;
use crossbeam_channel::{Receiver, bounded, select};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

/// Why a turn has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopRequest {
    /// SIGINT: it ends with an aborted result.
    Interrupted,
    /// SIGTERM: it ends at once.
    Terminated,
}

/// Bytes of output that are kept; a listing for people is shorter.
const OUTPUT_MAX: u64 = 16 * 1024;

/// Runs a program from PATH in the current directory. The inner error is the output of a failed tool; the outer one says
/// that the turn was to be stopped meanwhile.
pub fn run(
    program: &str,
    args: &[&str],
    stop: &Receiver<Signal>,
) -> Result<Result<String, String>, StopRequest> {
    let here = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    let mut command = child_process::command(Path::new(program), &here);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(mark) = std::env::var_os(OWNER_TAG_VARIABLE) {
        // A real CLI passes its environment on, too: the tools are found by the same marker.
        command.env(OWNER_TAG_VARIABLE, mark);
    }
    let mut child = match ChildGroup::spawn(&mut command) {
        Ok(child) => child,
        Err(e) => return Ok(Err(format!("{program}: {e}"))),
    };
    let (_, stdout, stderr) = child.pipes();
    let (output_sender, output) = bounded(1);
    let reader = thread::spawn_small("tool", move || {
        let mut text = Vec::new();
        let _ = stdout.map(|s| s.take(OUTPUT_MAX).read_to_end(&mut text));
        let _ = stderr.map(|s| s.take(OUTPUT_MAX).read_to_end(&mut text));
        let _ = output_sender.send(String::from_utf8_lossy(&text).trim_end().to_owned());
    });
    let (exit_sender, exit) = bounded(1);
    let watcher = child.watch(move || {
        let _ = exit_sender.send(());
    });
    if let Err(e) = reader.map(drop).and(watcher) {
        return Ok(Err(e.to_string()));
    }
    select! {
        recv(exit) -> _ => {}
        recv(stop) -> signal => {
            child.signal_group(ChildSignal::Kill);
            let _ = child.reap();
            let interrupted = matches!(signal, Ok(Signal::Stop(n)) if n == signal_hook::consts::SIGINT);
            return Err(if interrupted { StopRequest::Interrupted } else { StopRequest::Terminated });
        }
    };
    let ended = child.reap();
    let text = output.recv().unwrap_or_default();
    Ok(match ended {
        Ok(ChildExit::Code(0)) => Ok(text),
        Ok(ChildExit::Code(code)) => Err(format!("Exit code {code}\n{text}")),
        Ok(ChildExit::Signal(number)) => Err(format!("Exit code {}\n{text}", 128 + number)),
        Err(e) => Err(e.to_string()),
    })
}
