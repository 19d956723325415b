//! Blocking in poll(2) on a socket and a waker. The waker is a socket pair with an armed flag, so that a burst of
//! wake-ups writes one byte.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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
    armed: Arc<AtomicBool>,
}

/// The side that poll(2) watches.
#[derive(Debug)]
pub struct WakeFd {
    rx: UnixStream,
    armed: Arc<AtomicBool>,
}

/// Makes a connected pair.
pub fn waker() -> io::Result<(Waker, WakeFd)> {
    let (rx, tx) = UnixStream::pair()?;
    rx.set_nonblocking(true)?;
    tx.set_nonblocking(true)?;
    let armed = Arc::new(AtomicBool::new(false));
    Ok((Waker { tx: Arc::new(tx), armed: armed.clone() }, WakeFd { rx, armed }))
}

impl Waker {
    /// Makes the poller return. A full pipe means that a wake-up is pending already.
    pub fn wake(&self) {
        if !self.armed.swap(true, Ordering::AcqRel) {
            let _ = (&*self.tx).write(&[1]);
        }
    }
}

impl WakeFd {
    /// Empties the pipe, *then* clears the flag; the caller re-checks all its queues afterwards.
    pub fn drain(&mut self) {
        let mut buf = [0u8; 64];
        while matches!(self.rx.read(&mut buf), Ok(n) if n > 0) {}
        // A swap, not a store: a store may be delayed past the caller's look at its queues, and a sender that
        // still saw the flag set would then write no byte for a frame that nobody has seen.
        self.armed.swap(false, Ordering::AcqRel);
    }
}

/// What a wait has found. Nothing set: the time is up, or a signal interrupted the wait.
#[derive(Debug, Default, Clone, Copy)]
pub struct Ready {
    /// The socket can be read, has ended, or has failed: a read tells which.
    pub input: bool,
    /// The socket takes bytes again, or has failed.
    pub output: bool,
    /// The waker was used; it is drained already, so look at every queue and flag that it stands for.
    pub woken: bool,
    /// All wakers are gone. From now on poll would report that for ever: leave the waker out.
    pub unwakeable: bool,
}

/// Blocks until the socket is readable (or writable, where asked for), the waker is used, or the time is up.
pub fn wait(
    socket: Option<(&TcpStream, bool)>,
    wake: Option<&mut WakeFd>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    let mut flags = [PollFlags::empty(); 2];
    {
        let mut fds = Vec::with_capacity(2);
        if let Some((socket, output)) = socket {
            let want = if output { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::new(socket, want));
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
    let failed = io.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    if let (Some(wake), false) = (wake, waker.is_empty()) {
        wake.drain();
    }
    Ok(Ready {
        input: failed || io.contains(PollFlags::IN),
        output: failed || io.contains(PollFlags::OUT),
        woken: !waker.is_empty(),
        unwakeable: waker.intersects(PollFlags::HUP | PollFlags::ERR),
    })
}

/// Blocks until one of the pipes has something, `to` takes bytes, the waker is used, or the time is up.
pub fn wait_all(
    pipes: &[Option<std::fs::File>],
    to: Option<&std::fs::File>,
    wake: &mut WakeFd,
    timeout: Duration,
) -> io::Result<()> {
    let mut fds = Vec::new();
    fds.push(PollFd::new(&wake.rx, PollFlags::IN));
    fds.extend(to.map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
    fds.extend(pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    match poll(&mut fds, Some(&timespec(timeout))) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    wake.drain();
    Ok(())
}

/// Time left until `until`; zero when it has passed.
pub fn remaining(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// A poll(2) timeout; durations beyond what it can hold become its maximum.
fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX), tv_nsec: d.subsec_nanos().into() }
}
