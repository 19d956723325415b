//! Notifications for systemd as in sd_notify(3): readiness, status, watchdog, stopping.
//!
//! Each is a datagram to the socket in `NOTIFY_SOCKET`; without that variable nothing is sent. Sending never blocks.

use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The connection to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// The watchdog interval that the service manager expects of this process.
    pub watchdog: Option<Duration>,
}

impl Notify {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. They stay in the environment for a program that this process
    /// executes later.
    pub fn from_env() -> Notify {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let to = variable("NOTIFY_SOCKET").and_then(|name| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address(&name)?))
        });
        let ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let usec = variable("WATCHDOG_USEC").and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0);
        let watchdog = usec.map(Duration::from_micros).filter(|_| ours && to.is_some());
        Notify { to, watchdog }
    }

    /// The service manager that started this process, if any.
    pub fn manager(&self) -> Option<&'static str> {
        let launchd =
            || std::env::var("XPC_SERVICE_NAME").is_ok_and(|name| name.starts_with("com.wtt.connect."));
        match &self.to {
            Some(_) => Some("systemd"),
            None => launchd().then_some("launchd"),
        }
    }

    /// Sends one message, such as `READY=1`. A failure is only logged.
    pub fn send(&self, message: &str) {
        let Some((socket, to)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), to) {
            log::debug!(target: "daemon", "the service manager did not take {message:?}: {error}");
        }
    }
}

/// Parses an absolute path, or with a leading `@` the name of an abstract socket.
fn address(name: &str) -> Option<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name).ok();
    }
    SocketAddr::from_pathname(name).ok().filter(|_| name.starts_with('/'))
}
