//! One open terminal: its threads, its keys, its end. When its output may be sent is the keeper's business.

use super::env;
use super::event::HostEvent;
use super::pty::{self, Pty, PtyStreams};
use super::settings::HostTimeouts;
use crate::host::output_buffer::{self, CHUNK_BYTES, OutputBuffer};
use crate::sys::child_process::{self, ChildSignal};
use crate::sys::thread;
use crate::wire::host_frames::TerminalSize;
use crossbeam_channel::Sender;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A first piece goes at once, the next ones are gathered for so long: a screen is drawn sixty times a second.
const MIN_SEND_INTERVAL: Duration = Duration::from_millis(16);
/// Keys that may wait for a program that does not read: a large paste.
const MAX_PENDING_INPUT_BYTES: usize = 1 << 20;
/// What a shell that has ended may still have in its terminal comes within this.
const OUTPUT_DRAIN: Duration = Duration::from_millis(200);
/// From SIGHUP to SIGKILL.
const HANGUP_GRACE: Duration = Duration::from_secs(1);
/// A shell that is gone before this with an error, without a word of its own, was none. A busy machine is slow to see it.
const STARTUP_FAILURE_WINDOW: Duration = Duration::from_secs(5);
/// Ended by SIGABRT.
const ABORTED: i32 = 128 + 6;

/// An open terminal.
pub(super) struct Terminal {
    /// Its name on the wire.
    pub(super) session: String,
    pty: Pty,
    output: Arc<OutputBuffer>,
    keys: Sender<Vec<u8>>,
    pending_input_bytes: Arc<AtomicUsize>,
    opened_at: Instant,
    last_sent_at: Option<Instant>,
    /// So many bytes wait that are no whole character yet.
    unfinished: usize,
    /// The last key, resize or output.
    pub(super) last_activity: Instant,
    /// The last key or resize.
    pub(super) last_input: Instant,
    /// It is being ended; since when, and whether it was killed.
    ending: Option<(Instant, bool)>,
    /// How the shell has ended, and when.
    exit: Option<(i32, Instant)>,
}

/// What became of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminalEnd {
    /// The shell ended with this code.
    Exited(i32),
    /// There never was a shell.
    NeverStarted,
}

impl Terminal {
    pub(super) fn open(
        number: u64,
        session: String,
        cwd: &Path,
        size: TerminalSize,
        base_url: &str,
        to: &Sender<HostEvent>,
    ) -> Result<Terminal, String> {
        let shell = env::login_shell();
        let (pty, PtyStreams { output, input }) = pty::open(&shell, cwd, &env::variables(base_url), size)?;
        let screen = Arc::new(OutputBuffer::default());
        let (keys, typed) = crossbeam_channel::unbounded::<Vec<u8>>();
        let waiting_keys = Arc::new(AtomicUsize::new(0));
        let now = Instant::now();
        let (pid, shown, to_keeper, waiting) = (pty.pid(), screen.clone(), to.clone(), waiting_keys.clone());
        let terminal = Terminal {
            session,
            pty,
            output: screen,
            keys,
            pending_input_bytes: waiting_keys,
            opened_at: now,
            last_sent_at: None,
            unfinished: 0,
            last_activity: now,
            last_input: now,
            ending: None,
            exit: None,
        };
        let exited = to.clone();
        let started =
            thread::spawn_small("term/out", move || output_buffer::read(output, &shown, &to_keeper))
                .and_then(|_| thread::spawn_small("term/in", move || write(input, &typed, &waiting)))
                .and_then(|_| {
                    thread::spawn_small("term/exit", move || {
                        let code = child_process::wait_for_exit(pid);
                        let _ = exited.send(HostEvent::Exited(number, code));
                    })
                });
        match started {
            Ok(_) => Ok(terminal),
            Err(e) => {
                terminal.pty.signal(ChildSignal::Kill);
                terminal.close();
                Err(format!("cannot start a thread: {e}"))
            }
        }
    }

    /// Types; false when the program has not read for long.
    pub(super) fn input(&mut self, keys: String) -> bool {
        (self.last_activity, self.last_input) = (Instant::now(), Instant::now());
        if self.pending_input_bytes.load(Ordering::Relaxed) > MAX_PENDING_INPUT_BYTES {
            return false;
        }
        self.pending_input_bytes.fetch_add(keys.len(), Ordering::Relaxed);
        let _ = self.keys.send(keys.into_bytes());
        true
    }

    pub(super) fn resize(&mut self, size: TerminalSize) {
        (self.last_activity, self.last_input) = (Instant::now(), Instant::now());
        self.pty.resize(size);
    }

    /// Whoever draws on the whole screen draws again.
    pub(super) fn redraw(&self) {
        self.pty.signal(ChildSignal::Winch);
    }

    /// Begins to end it.
    pub(super) fn hang_up(&mut self, now: Instant) {
        if self.ending.is_none() && self.exit.is_none() {
            self.ending = Some((now, false));
            self.pty.signal(ChildSignal::Hup);
        }
    }

    /// The shell has ended.
    pub(super) fn exited(&mut self, code: i32, now: Instant) {
        self.exit = Some((code, now));
        if self.ending.is_some() {
            // what shares its group goes with it
            self.pty.signal(ChildSignal::Kill);
        }
    }

    /// When the next piece may be sent; nothing while there is none.
    pub(super) fn next_send_at(&self) -> Option<Instant> {
        let (held, _) = self.output.state();
        match (held, self.last_sent_at) {
            (0, _) => None,
            (held, _) if held == self.unfinished && self.exit.is_none() => None,
            (CHUNK_BYTES.., sent) => Some(sent.unwrap_or(self.opened_at)),
            (_, sent) => Some(sent.map_or(self.opened_at, |at| at + MIN_SEND_INTERVAL)),
        }
    }

    /// The next piece, of at most so many bytes.
    pub(super) fn take_chunk(&mut self, now: Instant, most: usize) -> String {
        (self.last_sent_at, self.last_activity) = (Some(now), now);
        let (piece, unfinished) = self.output.take_chunk(self.exit.is_some(), most);
        self.unfinished = unfinished;
        piece
    }

    /// Whether it is over: the shell has ended, and all that it said was taken.
    pub(super) fn end_if_finished(&self, now: Instant) -> Option<TerminalEnd> {
        let (code, at) = self.exit?;
        let (held, ended) = self.output.state();
        if held > 0 || !(ended || now >= at + OUTPUT_DRAIN) {
            return None;
        }
        // a failed exec makes the library abort in the new process, which says so in words of its own
        let silent = self.last_sent_at.is_none() || code == ABORTED;
        let silent = silent && at < self.opened_at + STARTUP_FAILURE_WINDOW && code != 0;
        Some(if silent && self.ending.is_none() {
            TerminalEnd::NeverStarted
        } else {
            TerminalEnd::Exited(code)
        })
    }

    /// Looks whether it is time to kill. Returns when to look again.
    pub(super) fn escalate_termination(&mut self, now: Instant) -> Option<Instant> {
        match (self.ending, self.exit) {
            (_, Some((_, at))) => Some(at + OUTPUT_DRAIN),
            (Some((since, false)), None) if now >= since + HANGUP_GRACE => {
                self.ending = Some((since, true));
                self.pty.kill();
                None
            }
            (Some((since, false)), None) => Some(since + HANGUP_GRACE),
            (Some((_, true)) | None, None) => None,
        }
    }

    /// When it has been left alone for too long.
    pub(super) fn idle_deadline(&self, times: &HostTimeouts) -> Option<Instant> {
        let idle = (self.last_activity + times.idle).min(self.last_input + times.forgotten);
        self.ending.is_none().then_some(idle)
    }

    /// Gives everything back. The shell has ended, or was killed.
    pub(super) fn close(self) {
        self.output.close();
        self.pty.close();
    }
}

/// The writer's thread: a program that does not read blocks it, and nobody else.
fn write(mut to: Box<dyn Write + Send>, typed: &crossbeam_channel::Receiver<Vec<u8>>, waiting: &AtomicUsize) {
    for keys in typed.iter() {
        let written = to.write_all(&keys);
        waiting.fetch_sub(keys.len(), Ordering::Relaxed);
        if written.is_err() {
            break;
        }
    }
}
