//! SIGTERM, SIGINT and SIGHUP as messages. One thread waits for them; what they mean is decided elsewhere.

use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first SIGTERM or SIGINT.
static END: AtomicBool = AtomicBool::new(false);

/// A request from outside the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: end in order.
    Stop(i32),
    /// SIGHUP: read the configuration again.
    Reload,
}

/// Starts the signal thread; it lives as long as the receiver. SIGPIPE needs no handling: std ignores it.
pub fn listen() -> io::Result<Receiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (tx, rx) = crossbeam_channel::unbounded();
    crate::sys::thread::spawn_small("signals", move || {
        for signal in signals.forever() {
            let message = if signal == SIGHUP { Signal::Reload } else { Signal::Stop(signal) };
            END.fetch_or(signal != SIGHUP, Ordering::AcqRel);
            if tx.send(message).is_err() {
                break;
            }
        }
    })?;
    Ok(rx)
}

/// Tells each time that the window of our terminal has another size.
pub fn resized() -> io::Result<Receiver<()>> {
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

/// Whether the process was told to end, also when nobody takes its messages any more.
pub fn end_was_asked() -> bool {
    END.load(Ordering::Acquire)
}
