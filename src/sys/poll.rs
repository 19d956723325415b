//! Blocking in poll(2) on a socket or on pipes, and a waker that ends the wait from another thread.
//!
//! The waker is a socket pair with a flag, so that a burst of wake-ups writes one byte.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The sending side: cheap to clone, never blocks.
#[derive(Clone, Debug)]
pub struct Waker {
    tx: Arc<UnixStream>,
    is_pending: Arc<AtomicBool>,
}

/// The side that poll(2) watches.
#[derive(Debug)]
pub struct WakeReceiver {
    rx: UnixStream,
    is_pending: Arc<AtomicBool>,
}

/// Makes a connected pair.
pub fn waker_pair() -> io::Result<(Waker, WakeReceiver)> {
    let (rx, tx) = UnixStream::pair()?;
    rx.set_nonblocking(true)?;
    tx.set_nonblocking(true)?;
    let is_pending = Arc::new(AtomicBool::new(false));
    Ok((Waker { tx: Arc::new(tx), is_pending: is_pending.clone() }, WakeReceiver { rx, is_pending }))
}

impl Waker {
    /// Makes the waiting thread return, or its next wait if it does not wait now. A full pipe means that a wake-up is pending
    /// already.
    pub fn wake(&self) {
        if !self.is_pending.swap(true, Ordering::AcqRel) {
            let _ = (&*self.tx).write(&[1]);
        }
    }
}

impl WakeReceiver {
    /// Empties the pipe, *then* clears the flag. The caller checks all its queues afterwards.
    pub fn drain(&mut self) {
        let mut buf = [0u8; 64];
        while matches!(self.rx.read(&mut buf), Ok(n) if n > 0) {}
        // A swap, not a store: a store may become visible only after the caller has checked its queues. A sender that still sees
        // the flag set then writes no byte, and nothing wakes the caller for what was sent.
        self.is_pending.swap(false, Ordering::AcqRel);
    }
}

/// The result of a wait. All fields are false after the timeout, or when a signal interrupted the wait.
#[derive(Debug, Default, Clone, Copy)]
pub struct Ready {
    /// The socket can be read, has ended, or has failed: a read tells which.
    pub is_readable: bool,
    /// The socket accepts bytes, or has failed.
    pub is_writable: bool,
    /// The waker was used. It is drained already: check every queue and flag that it stands for.
    pub is_woken: bool,
    /// All wakers are dropped. poll(2) reports that at once on every call: do not pass the receiver again.
    pub is_waker_closed: bool,
}

/// Blocks until the socket is readable (or writable, if its flag is set), the waker is used, or the timeout has passed.
pub fn wait_for_socket(
    socket: Option<(&TcpStream, bool)>,
    wake: Option<&mut WakeReceiver>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    let mut flags = [PollFlags::empty(); 2];
    {
        let mut fds = Vec::with_capacity(2);
        if let Some((socket, for_output)) = socket {
            let events = if for_output { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::new(socket, events));
        }
        if let Some(wake) = &wake {
            fds.push(PollFd::new(&wake.rx, PollFlags::IN));
        }
        match poll(&mut fds, timeout.map(timespec).as_ref()) {
            Ok(_) => fds.iter().zip(&mut flags).for_each(|(fd, flag)| *flag = fd.revents()),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let (io, waker) = if socket.is_some() { (flags[0], flags[1]) } else { (PollFlags::empty(), flags[0]) };
    let has_failed = io.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    if let (Some(wake), false) = (wake, waker.is_empty()) {
        wake.drain();
    }
    Ok(Ready {
        is_readable: has_failed || io.contains(PollFlags::IN),
        is_writable: has_failed || io.contains(PollFlags::OUT),
        is_woken: !waker.is_empty(),
        is_waker_closed: waker.intersects(PollFlags::HUP | PollFlags::ERR),
    })
}

/// Blocks until one of the `inputs` is readable, `output` accepts bytes, the waker is used, or the timeout has passed.
pub fn wait_for_pipes(
    inputs: &[Option<File>],
    output: Option<&File>,
    wake: &mut WakeReceiver,
    timeout: Duration,
) -> io::Result<()> {
    let mut fds = Vec::new();
    fds.push(PollFd::new(&wake.rx, PollFlags::IN));
    fds.extend(output.map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
    fds.extend(inputs.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    match poll(&mut fds, Some(&timespec(timeout))) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    wake.drain();
    Ok(())
}

/// The time that is left until a deadline; zero when it has passed.
pub fn time_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// A poll(2) timeout. Longer durations than it can hold become its maximum.
fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX), tv_nsec: d.subsec_nanos().into() }
}
