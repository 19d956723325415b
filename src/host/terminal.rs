//! One open terminal: its threads, its keys, its end. When its output may be sent is the keeper's business.

use super::pty::{self, Ends, Pty};
use super::{Event, Times, env};
use crate::host::output_buffer;
use crate::host::output_buffer::{PIECE, Screen};
use crate::sys::proc::{self, Sig};
use crate::sys::thread;
use crate::wire::host_frames::Size;
use crossbeam_channel::Sender;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A first piece goes at once, the next ones are gathered for so long: a screen is drawn sixty times a second.
const GATHER: Duration = Duration::from_millis(16);
/// Keys that may wait for a program that does not read: a large paste.
const KEYS_MAX: usize = 1 << 20;
/// What a shell that has ended may still have in its terminal comes within this.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// From SIGHUP to SIGKILL.
const POLITE: Duration = Duration::from_secs(1);
/// A shell that is gone before this with an error, without a word of its own, was none. A busy machine is slow to see it.
const STILLBORN: Duration = Duration::from_secs(5);
/// Ended by SIGABRT.
const ABORTED: i32 = 128 + 6;

/// An open terminal.
pub(super) struct Terminal {
    /// Its name on the wire.
    pub(super) session: String,
    pty: Pty,
    screen: Arc<Screen>,
    keys: Sender<Vec<u8>>,
    waiting_keys: Arc<AtomicUsize>,
    opened: Instant,
    sent: Option<Instant>,
    /// So many bytes wait that are no whole character yet.
    unfinished: usize,
    /// The last key, resize or output.
    pub(super) used: Instant,
    /// The last key or resize.
    pub(super) touched: Instant,
    /// It is being ended; since when, and whether it was killed.
    ending: Option<(Instant, bool)>,
    /// How the shell has ended, and when.
    exit: Option<(i32, Instant)>,
}

/// What became of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The shell ended with this code.
    Exit(i32),
    /// There never was a shell.
    Stillborn,
}

impl Terminal {
    pub(super) fn open(
        number: u64,
        session: String,
        cwd: &Path,
        size: Size,
        base_url: &str,
        to: &Sender<Event>,
    ) -> Result<Terminal, String> {
        let shell = env::login_shell();
        let (pty, Ends { output, input }) = pty::open(&shell, cwd, &env::variables(base_url), size)?;
        let screen = Arc::new(Screen::default());
        let (keys, typed) = crossbeam_channel::unbounded::<Vec<u8>>();
        let waiting_keys = Arc::new(AtomicUsize::new(0));
        let now = Instant::now();
        let (pid, shown, to_keeper, waiting) = (pty.pid(), screen.clone(), to.clone(), waiting_keys.clone());
        let terminal = Terminal {
            session,
            pty,
            screen,
            keys,
            waiting_keys,
            opened: now,
            sent: None,
            unfinished: 0,
            used: now,
            touched: now,
            ending: None,
            exit: None,
        };
        let exited = to.clone();
        let started =
            thread::spawn_small("term/out", move || output_buffer::read(output, &shown, &to_keeper))
                .and_then(|_| thread::spawn_small("term/in", move || write(input, &typed, &waiting)))
                .and_then(|_| {
                    thread::spawn_small("term/exit", move || {
                        let code = proc::await_child(pid);
                        let _ = exited.send(Event::Exited(number, code));
                    })
                });
        match started {
            Ok(_) => Ok(terminal),
            Err(e) => {
                terminal.pty.signal(Sig::Kill);
                terminal.close();
                Err(format!("cannot start a thread: {e}"))
            }
        }
    }

    /// Types; false when the program has not read for long.
    pub(super) fn keys(&mut self, keys: String) -> bool {
        (self.used, self.touched) = (Instant::now(), Instant::now());
        if self.waiting_keys.load(Ordering::Relaxed) > KEYS_MAX {
            return false;
        }
        self.waiting_keys.fetch_add(keys.len(), Ordering::Relaxed);
        let _ = self.keys.send(keys.into_bytes());
        true
    }

    pub(super) fn resize(&mut self, size: Size) {
        (self.used, self.touched) = (Instant::now(), Instant::now());
        self.pty.resize(size);
    }

    /// Whoever draws on the whole screen draws again.
    pub(super) fn redraw(&self) {
        self.pty.signal(Sig::Winch);
    }

    /// Begins to end it.
    pub(super) fn hang_up(&mut self, now: Instant) {
        if self.ending.is_none() && self.exit.is_none() {
            self.ending = Some((now, false));
            self.pty.signal(Sig::Hup);
        }
    }

    /// The shell has ended.
    pub(super) fn exited(&mut self, code: i32, now: Instant) {
        self.exit = Some((code, now));
        if self.ending.is_some() {
            // what shares its group goes with it
            self.pty.signal(Sig::Kill);
        }
    }

    /// When the next piece may be sent; nothing while there is none.
    pub(super) fn due(&self) -> Option<Instant> {
        let (held, _) = self.screen.state();
        match (held, self.sent) {
            (0, _) => None,
            (held, _) if held == self.unfinished && self.exit.is_none() => None,
            (PIECE.., sent) => Some(sent.unwrap_or(self.opened)),
            (_, sent) => Some(sent.map_or(self.opened, |at| at + GATHER)),
        }
    }

    /// The next piece, of at most so many bytes.
    pub(super) fn take(&mut self, now: Instant, most: usize) -> String {
        (self.sent, self.used) = (Some(now), now);
        let (piece, unfinished) = self.screen.take(self.exit.is_some(), most);
        self.unfinished = unfinished;
        piece
    }

    /// Whether it is over: the shell has ended, and all that it said was taken.
    pub(super) fn over(&self, now: Instant) -> Option<Over> {
        let (code, at) = self.exit?;
        let (held, ended) = self.screen.state();
        if held > 0 || !(ended || now >= at + LAST_WORDS) {
            return None;
        }
        // a failed exec makes the library abort in the new process, which says so in words of its own
        let silent = self.sent.is_none() || code == ABORTED;
        let silent = silent && at < self.opened + STILLBORN && code != 0;
        Some(if silent && self.ending.is_none() { Over::Stillborn } else { Over::Exit(code) })
    }

    /// Looks whether it is time to kill. Returns when to look again.
    pub(super) fn press(&mut self, now: Instant) -> Option<Instant> {
        match (self.ending, self.exit) {
            (_, Some((_, at))) => Some(at + LAST_WORDS),
            (Some((since, false)), None) if now >= since + POLITE => {
                self.ending = Some((since, true));
                self.pty.kill();
                None
            }
            (Some((since, false)), None) => Some(since + POLITE),
            (Some((_, true)) | None, None) => None,
        }
    }

    /// When it has been left alone for too long.
    pub(super) fn idle_at(&self, times: &Times) -> Option<Instant> {
        let idle = (self.used + times.idle).min(self.touched + times.forgotten);
        self.ending.is_none().then_some(idle)
    }

    /// Gives everything back. The shell has ended, or was killed.
    pub(super) fn close(self) {
        self.screen.close();
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
