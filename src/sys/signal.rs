//! Receives SIGTERM, SIGINT, SIGHUP and SIGWINCH on a thread and passes them on. The receivers decide what they do.

use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first SIGTERM or SIGINT.
static SHUTDOWN_REQUESTED: AtomicBool = AtomicBool::new(false);

/// A request from outside the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT (the number): shut down in order.
    Stop(i32),
    /// SIGHUP: reload the configuration.
    Reload,
}

/// Sends signals to a channel until its receiver is dropped.
pub fn listen() -> io::Result<Receiver<Signal>> {
    let (tx, rx) = crossbeam_channel::unbounded();
    spawn_handler(Box::new(move |signal| tx.send(signal).is_ok()))?;
    Ok(rx)
}

/// Starts the signal thread, which calls `handler` until that returns false. SIGPIPE needs no handling: std ignores it.
pub fn spawn_handler(mut handler: Box<dyn FnMut(Signal) -> bool + Send>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    crate::sys::thread::spawn_small("signals", move || {
        for signal in signals.forever() {
            SHUTDOWN_REQUESTED.fetch_or(signal != SIGHUP, Ordering::AcqRel);
            if !handler(if signal == SIGHUP { Signal::Reload } else { Signal::Stop(signal) }) {
                break;
            }
        }
    })?;
    Ok(())
}

/// Sends a message to a channel each time the size of the terminal changes.
pub fn listen_for_resize() -> io::Result<Receiver<()>> {
    let mut signals = Signals::new([SIGWINCH])?;
    let (tx, rx) = crossbeam_channel::unbounded();
    crate::sys::thread::spawn_small("resized", move || {
        for _ in signals.forever() {
            if tx.send(()).is_err() {
                break;
            }
        }
    })?;
    Ok(rx)
}

/// The exit code of a program that a signal has killed, as shells report it. None: the sender of signals is gone.
pub fn exit_code(signal: Option<Signal>) -> u8 {
    let number = match signal {
        Some(Signal::Stop(number)) => number,
        Some(Signal::Reload) => SIGHUP,
        None => SIGTERM,
    };
    u8::try_from(number).unwrap_or_default().saturating_add(128)
}

/// Whether the process was told to shut down, even if no receiver handles signals any more.
pub fn is_shutdown_requested() -> bool {
    SHUTDOWN_REQUESTED.load(Ordering::Acquire)
}
