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

/// Signals as messages, for as long as somebody has the receiver.
pub fn listen() -> io::Result<Receiver<Signal>> {
    let (tx, rx) = crossbeam_channel::unbounded();
    spawn_handler(Box::new(move |signal| tx.send(signal).is_ok()))?;
    Ok(rx)
}

/// Starts the signal thread: it tells `whom` until that says that it is enough. SIGPIPE needs no handling: std ignores it.
pub fn spawn_handler(mut whom: Box<dyn FnMut(Signal) -> bool + Send>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    crate::sys::thread::spawn_small("signals", move || {
        for signal in signals.forever() {
            END.fetch_or(signal != SIGHUP, Ordering::AcqRel);
            if !whom(if signal == SIGHUP { Signal::Reload } else { Signal::Stop(signal) }) {
                break;
            }
        }
    })?;
    Ok(())
}

/// Tells each time that the window of our terminal has another size.
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

/// Whether the process was told to end, also when nobody takes its messages any more.
pub fn is_shutdown_requested() -> bool {
    END.load(Ordering::Acquire)
}
