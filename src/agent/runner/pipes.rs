//! The threads around a child: two readers, a writer and a watcher. They decide nothing; they only tell.

use crate::sys::child_process::ChildGroup;
use crate::sys::line_reader::{self, Line, OutputTail};
use crate::sys::thread;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::io::{self, Write};

/// Batches of lines in flight between the readers and the loop: at most 16 MiB, even when every line has the full length.
const IN_FLIGHT: usize = 16;

/// What the threads tell.
pub(crate) enum Heard {
    /// Lines of stdout.
    Lines(Vec<Line>),
    /// Stdout or stderr has ended.
    End,
    /// The child has ended; it is not reaped yet.
    Exited,
    /// The child takes nothing from stdin any more.
    Deaf,
}

/// The loop's side of the threads.
pub(crate) struct Pipes {
    pub(crate) heard: Receiver<Heard>,
    /// The last lines of stderr.
    pub(crate) stderr: OutputTail,
    /// Text for stdin; dropping it closes stdin when all is written.
    pub(crate) stdin: Option<Sender<String>>,
}

/// Starts the threads. A thread ends by itself when its pipe or its listener is gone.
pub(crate) fn connect(child: &mut ChildGroup) -> io::Result<Pipes> {
    let (to_child, stdout, stderr) = child.pipes();
    let (tell, heard) = bounded(IN_FLIGHT);
    let tail = OutputTail::default();

    let exited = tell.clone();
    child.watch(move || drop(exited.send(Heard::Exited)))?;
    let out = tell.clone();
    thread::spawn_small("agent/out", move || {
        if let Some(pipe) = stdout {
            line_reader::read_lines(pipe, line_reader::MAX_LINE, |batch| {
                out.send(Heard::Lines(batch)).is_ok()
            });
        }
        let _ = out.send(Heard::End);
    })?;
    let (kept, err) = (tail.clone(), tell.clone());
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
        let _ = err.send(Heard::End);
    })?;
    // A child that stops reading must block a thread of its own, not us.
    let (stdin, texts) = unbounded::<String>();
    thread::spawn_small("agent/in", move || {
        let Some(mut pipe) = to_child else { return };
        for text in texts.iter() {
            if pipe.write_all(text.as_bytes()).and_then(|()| pipe.flush()).is_err() {
                let _ = tell.send(Heard::Deaf);
                return;
            }
        }
    })?;
    Ok(Pipes { heard, stderr: tail, stdin: Some(stdin) })
}
