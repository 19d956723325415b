//! The one tool of the demonstration agent: a real child process whose output is captured.

use super::Halt;
use crate::sys::child_process::{self, ChildExit, ChildGroup, ChildSignal, OWNER_TAG_VARIABLE};
use crate::sys::signal::Signal;
use crate::sys::thread;
use crossbeam_channel::{Receiver, bounded, select};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

/// Output kept; a listing for people is shorter.
const OUTPUT_MAX: u64 = 16 * 1024;

/// Runs a program of PATH in the current directory. Err holds what a failed tool says.
pub fn run(program: &str, args: &[&str], stop: &Receiver<Signal>) -> Result<Result<String, String>, Halt> {
    let here = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    let mut command = child_process::command(Path::new(program), &here);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(mark) = std::env::var_os(OWNER_TAG_VARIABLE) {
        // As a real CLI does: its tools are found by the same mark as itself.
        command.env(OWNER_TAG_VARIABLE, mark);
    }
    let mut child = match ChildGroup::spawn(&mut command) {
        Ok(child) => child,
        Err(e) => return Ok(Err(format!("{program}: {e}"))),
    };
    let (_, stdout, stderr) = child.pipes();
    let (done, output) = bounded(1);
    let reader = thread::spawn_small("tool", move || {
        let mut text = Vec::new();
        let _ = stdout.map(|s| s.take(OUTPUT_MAX).read_to_end(&mut text));
        let _ = stderr.map(|s| s.take(OUTPUT_MAX).read_to_end(&mut text));
        let _ = done.send(String::from_utf8_lossy(&text).trim_end().to_owned());
    });
    let (gone, exit) = bounded(1);
    let watcher = child.watch(move || {
        let _ = gone.send(());
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
            return Err(if interrupted { Halt::Interrupted } else { Halt::Terminated });
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
