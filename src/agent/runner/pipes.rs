//! The threads around a child process: two readers, a writer and a watcher. They decide nothing; they only turn what
//! happens into [`ChildEvent`]s.

use crate::sys::child_process::ChildGroup;
use crate::sys::line_reader::{self, Line, OutputTail};
use crate::sys::thread;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::io::{self, Write};

/// Events in flight between the threads and the loop: at most 16 MiB, even if every line has the maximum length.
const MAX_EVENTS_IN_FLIGHT: usize = 16;

/// What happened to the child process.
pub(crate) enum ChildEvent {
    /// Lines of stdout.
    Lines(Vec<Line>),
    /// Stdout or stderr has been closed; sent once for each.
    PipeEnded,
    /// The child has exited; it is not reaped yet.
    Exited,
    /// The child no longer reads its stdin.
    StdinClosed,
}

/// The other ends of the threads' channels.
pub(crate) struct Pipes {
    pub(crate) events: Receiver<ChildEvent>,
    /// The last lines of stderr.
    pub(crate) stderr: OutputTail,
    /// Text for stdin; dropping the sender closes stdin once everything is written.
    pub(crate) stdin: Option<Sender<String>>,
}

/// Starts the threads. A thread ends by itself when its pipe is closed or the receiver is dropped.
pub(crate) fn connect(child: &mut ChildGroup) -> io::Result<Pipes> {
    let (to_child, stdout, stderr) = child.pipes();
    let (sender, events) = bounded(MAX_EVENTS_IN_FLIGHT);
    let tail = OutputTail::default();

    let exited = sender.clone();
    child.watch(move || drop(exited.send(ChildEvent::Exited)))?;
    let out = sender.clone();
    thread::spawn_small("agent/out", move || {
        if let Some(pipe) = stdout {
            line_reader::read_lines(pipe, line_reader::MAX_LINE, |batch| {
                out.send(ChildEvent::Lines(batch)).is_ok()
            });
        }
        let _ = out.send(ChildEvent::PipeEnded);
    })?;
    let (kept, err) = (tail.clone(), sender.clone());
    thread::spawn_small("agent/err", move || {
        if let Some(pipe) = stderr {
            line_reader::read_lines(pipe, line_reader::MAX_STDERR_LINE, |batch| {
                for Line::Text(line) | Line::TooLong { head: line, .. } in batch {
                    log::debug!("agent stderr: {line}");
                    kept.push(&line);
                }
                true
            });
        }
        let _ = err.send(ChildEvent::PipeEnded);
    })?;
    // A child that stops reading must block a thread of its own, not us.
    let (stdin, texts) = unbounded::<String>();
    thread::spawn_small("agent/in", move || {
        let Some(mut pipe) = to_child else { return };
        for text in texts.iter() {
            if pipe.write_all(text.as_bytes()).and_then(|()| pipe.flush()).is_err() {
                let _ = sender.send(ChildEvent::StdinClosed);
                return;
            }
        }
    })?;
    Ok(Pipes { events, stderr: tail, stdin: Some(stdin) })
}
