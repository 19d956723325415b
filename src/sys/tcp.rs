//! Opens TCP connections with a deadline, in a way that another thread can cancel, and sets their options.

use crate::sys::poll::{WakeReceiver, time_until, wait_for_socket};
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Idle time before the first keepalive probe. Probes keep NAT entries alive and detect dead peers below the application.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// Time between two probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Unanswered probes until the connection counts as lost.
const KEEPALIVE_PROBES: u32 = 4;

/// Connects to the first address that answers. Each address gets an equal share of the time that is left. Another thread cancels
/// by making `is_cancelled` return true and using the waker. The socket is non-blocking.
///
/// # Errors
/// The error of the last address; `Interrupted` if cancelled.
pub fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
    wake: &mut WakeReceiver,
    is_cancelled: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "no address");
    for (i, address) in addresses.iter().enumerate() {
        let share = time_until(deadline) / u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        match connect_one(*address, Instant::now() + share, wake, is_cancelled) {
            Ok(socket) => return Ok(socket),
            Err(e) if e.kind() == ErrorKind::Interrupted => return Err(e),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn connect_one(
    address: SocketAddr,
    deadline: Instant,
    wake: &mut WakeReceiver,
    is_cancelled: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    let socket = open(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
    socket.set_nonblocking(true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => return Ok(socket),
        Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    loop {
        if is_cancelled() {
            return Err(io::Error::new(ErrorKind::Interrupted, "cancelled"));
        }
        let ready = wait_for_socket(Some((&socket, true)), Some(wake), Some(time_until(deadline)))?;
        if ready.is_writable {
            sockopt::socket_error(&socket)??;
            return Ok(socket);
        }
        if time_until(deadline).is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// A stream socket with the close-on-exec flag, so that agents do not inherit it.
fn open(family: AddressFamily) -> io::Result<TcpStream> {
    #[cfg(not(target_vendor = "apple"))]
    let fd = rustix::net::socket_with(family, SocketType::STREAM, rustix::net::SocketFlags::CLOEXEC, None)?;
    #[cfg(target_vendor = "apple")]
    let fd = {
        let fd = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        fd
    };
    Ok(TcpStream::from(fd))
}

/// Sets the options of a long-lived connection: frames are sent without delay, and the kernel detects a dead peer, at the latest
/// `ack_timeout` after it sent data that is not acknowledged. Errors are ignored: the connection works without these options.
pub fn configure(socket: &TcpStream, ack_timeout: Duration) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE);
    let _ = sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
    let _ = sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES);
    #[cfg(target_os = "linux")]
    let _ = sockopt::set_tcp_user_timeout(socket, u32::try_from(ack_timeout.as_millis()).unwrap_or(0));
    #[cfg(not(target_os = "linux"))]
    let _ = ack_timeout;
}
