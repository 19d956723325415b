//! What the service manager hears: a fake `NOTIFY_SOCKET` in place of systemd.

use crate::support::daemon::{Connector, Home, Wtt, command, until};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Longer than any pause between two signs of life in these tests.
const SILENCE: Duration = Duration::from_millis(1500);

struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn at(home: &Home) -> (Manager, String) {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(crate::support::daemon::PATIENCE)).unwrap();
        (Manager { socket }, path.to_str().unwrap().to_owned())
    }
    fn hear(&self) -> String {
        let mut buf = [0; 4096];
        loop {
            match self.socket.recv(&mut buf) {
                Ok(n) => return String::from_utf8(buf[..n].to_vec()).unwrap(),
                // this process was stopped and goes on
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => panic!("no message of the connector: {e}"),
            }
        }
    }
    /// Skips signs of life.
    fn hear_news(&self) -> String {
        loop {
            let message = self.hear();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }
}

#[test]
fn ready_status_and_stopping_arrive_in_this_order() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (manager, path) = Manager::at(&home);
    let mut connector = Connector::start(&wtt, &home, &[("NOTIFY_SOCKET", &path)]);
    assert!(manager.hear().starts_with("READY=1\n"));
    let status = manager.hear();
    assert!(status.starts_with("STATUS=connected as agent-001 since 20"), "{status}");
    wtt.service.stop();
    let status = manager.hear();
    assert!(status.starts_with("STATUS=") && status.contains("trying again in"), "{status}");
    connector.signal(rustix::process::Signal::TERM);
    loop {
        let message = manager.hear();
        if message.starts_with("STOPPING=1") {
            break;
        }
        assert!(message.starts_with("STATUS="), "{message}");
    }
    assert!(connector.wait().success());
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 9]).is_err(), "nothing comes after it");
}

#[test]
fn ready_does_not_wait_for_a_connection() {
    let home = Home::new();
    let (manager, path) = Manager::at(&home);
    let connector = Connector::spawn("http://127.0.0.1:9", &home, &[("NOTIFY_SOCKET", &path)]);
    assert_eq!(manager.hear(), "READY=1\nSTATUS=connecting");
    let status = manager.hear();
    assert!(status.starts_with("STATUS=cannot connect to 127.0.0.1:9"), "{status}");
    assert_eq!(super::status(&home)["service"], "systemd");
    assert!(connector.stop().success());
}

#[test]
fn nothing_is_ready_without_the_lock() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _first = Connector::start(&wtt, &home, &[]);
    let (manager, path) = Manager::at(&home);
    let second = command(&wtt.service.base_url(), &home, &[("NOTIFY_SOCKET", &path)]).output().unwrap();
    assert_eq!(second.status.code(), Some(75));
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 9]).is_err());
}

#[test]
fn a_hub_that_hangs_sends_no_watchdog_notification() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (manager, path) = Manager::at(&home);
    let hang = home.path().join("hang");
    let env = [
        ("NOTIFY_SOCKET", path.as_str()),
        ("WATCHDOG_USEC", "200000"),
        ("WTT_CONNECT_TEST_HANG", hang.to_str().unwrap()),
    ];
    let connector = Connector::start(&wtt, &home, &env);
    let mut signs = 0;
    while signs < 3 {
        signs += usize::from(manager.hear() == "WATCHDOG=1");
    }
    home.touch("hang");
    until("a hub that hangs", || {
        let request = wtt_connect::daemon::control::Request::Status;
        let asked = wtt_connect::daemon::control::ask(&home.state_dir(), &request);
        format!("{asked:?}").contains("runs but does not answer")
    });
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 4096]).is_ok() {} // signs from before
    manager.socket.set_nonblocking(false).unwrap();
    manager.socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(manager.socket.recv(&mut [0; 4096]).is_err(), "a sign of life");
    assert!(std::path::Path::new(&format!("/proc/{}", connector.pid())).exists(), "it hangs and lives");
}

/// Abstract names are Linux's; another process's watchdog is not ours; agents hear of none of it.
#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_works_and_agents_do_not_get_it() {
    use std::os::linux::net::SocketAddrExt;
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let name = format!("wtt-connect-test-{}", wtt_connect::sys::id::hex());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager { socket: UnixDatagram::bind_addr(&address).unwrap() };
    manager.socket.set_read_timeout(Some(crate::support::daemon::PATIENCE)).unwrap();
    let name = format!("@{name}");
    let env = [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let connector = Connector::start(&wtt, &home, &env);
    assert!(manager.hear_news().starts_with("READY=1"));
    wtt.say(&topic, "RUN: answer ${NOTIFY_SOCKET:-none}/${WATCHDOG_USEC:-none}");
    wtt.answer(&topic, "none/none");
    assert!(connector.stop().success());
    manager.socket.set_nonblocking(true).unwrap();
    let mut buf = [0; 4096];
    while let Ok(n) = manager.socket.recv(&mut buf) {
        assert_ne!(&buf[..n], b"WATCHDOG=1");
    }
}
