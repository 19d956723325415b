//! Opening TCP connections with a deadline that another thread can cut short, and their socket options.

use crate::sys::poll::{WakeReceiver, time_until, wait_for_socket};
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// First keepalive probe after this much silence: keeps NAT entries and finds dead peers below the application.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// Between probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Unanswered probes until the connection counts as lost.
const KEEPALIVE_PROBES: u32 = 4;

/// Connects to the first address that answers, each with a fair share of the time left. `give_up` is asked before
/// each sleep, which the waker ends. The socket is non-blocking. The error of the last address is returned.
pub fn connect(
    addresses: &[SocketAddr],
    until: Instant,
    wake: &mut WakeReceiver,
    give_up: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "no address");
    for (i, address) in addresses.iter().enumerate() {
        let share = time_until(until) / u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        match connect_one(*address, Instant::now() + share, wake, give_up) {
            Ok(socket) => return Ok(socket),
            Err(e) if e.kind() == ErrorKind::Interrupted => return Err(e),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn connect_one(
    address: SocketAddr,
    until: Instant,
    wake: &mut WakeReceiver,
    give_up: &dyn Fn() -> bool,
) -> io::Result<TcpStream> {
    let socket = open(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
    socket.set_nonblocking(true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => return Ok(socket),
        Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    loop {
        if give_up() {
            return Err(io::Error::new(ErrorKind::Interrupted, "cancelled"));
        }
        let ready = wait_for_socket(Some((&socket, true)), Some(wake), Some(time_until(until)))?;
        if ready.is_writable {
            sockopt::socket_error(&socket)??;
            return Ok(socket);
        }
        if time_until(until).is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// A stream socket that agents do not inherit.
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

/// Options of a long-lived connection: frames leave at once, and the kernel notices a peer that is gone, at the
/// latest `dead` after data went unacknowledged. Failing to set one is no reason not to talk.
pub fn configure(socket: &TcpStream, dead: Duration) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE);
    let _ = sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
    let _ = sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES);
    #[cfg(target_os = "linux")]
    let _ = sockopt::set_tcp_user_timeout(socket, u32::try_from(dead.as_millis()).unwrap_or(0));
    #[cfg(not(target_os = "linux"))]
    let _ = dead;
}
