//! Faults that need the real binary: interrupted system calls, a stopped process, SIGTERM at a bad moment.

use super::dialing::ClosedPort;
use crate::support::daemon::{Connector, Home, until};
use crate::support::server::{PATIENCE, Server, Visit};
use crate::support::watch::Watch;
use crossbeam_channel::unbounded;
use rustix::process::Signal;
use std::net::Shutdown;
use std::process::{Command, Stdio};
use std::time::Duration;
use tungstenite::Message;

/// Pings quickly, retries quickly.
const QUICK: (&str, &str) =
    ("WTT_CONNECT_TEST_TIMING", r#"{"ping":30,"dead":2000,"backoff":10,"backoff_max":50}"#);

fn base(server: &Server) -> String {
    format!("http://127.0.0.1:{}", server.port)
}

#[test]
fn the_program_stays_up_while_the_service_is_down() {
    let closed = ClosedPort::new();
    let home = Home::new();
    let connector = Connector::spawn(&format!("http://127.0.0.1:{}", closed.port()), &home, &[QUICK]);
    until("five attempts", || connector.log().matches("connection refused").count() >= 5);
    assert!(connector.stop().success());
}

#[test]
fn interrupted_waits_are_invisible() {
    let probe =
        Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: strace cannot trace here");
        return;
    }
    let (pings, pinged) = unbounded();
    let (dials, dialled) = unbounded();
    let server = Server::start(move |visit| {
        let request = visit.request();
        if !request.line().starts_with("GET /ws/") {
            return request.respond("404 Not Found", "");
        }
        let _ = dials.send(());
        let mut peer = request.upgrade();
        peer.accept_auth();
        while let Some(message) = peer.next() {
            if message == Message::text("ping") {
                peer.send("pong");
                let _ = pings.send(peer.n);
            }
        }
    });
    let home = Home::new();
    let connector = Connector::spawn(&base(&server), &home, &[QUICK]);
    pinged.recv_timeout(PATIENCE).unwrap();
    let trace = home.path().join("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=poll,ppoll", "-e", "inject=poll,ppoll:error=EINTR:when=1+3", "-o"])
        .arg(&trace)
        .args(["-p", &connector.pid().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("ten interrupted waits", || {
        std::fs::read_to_string(&trace).is_ok_and(|text| text.matches("EINTR").count() >= 10)
    });
    strace.kill().unwrap();
    strace.wait().unwrap();
    for _ in 0..3 {
        assert_eq!(pinged.recv_timeout(PATIENCE).unwrap(), 1, "still the first connection");
    }
    assert_eq!(dialled.try_iter().count(), 1);
    assert!(connector.stop().success());
}

#[test]
fn sigterm_during_a_dial_ends_at_once() {
    let server = Server::start(Visit::swallow);
    let home = Home::new();
    let connector = Connector::spawn(&base(&server), &home, &[]);
    server.accepted();
    let took = Watch::start();
    assert!(connector.stop().success());
    assert!(took.counted() < Duration::from_secs(3), "{:?}", took.counted());
}

#[test]
fn after_a_long_sleep_it_is_back_within_seconds() {
    let (sockets, opened) = unbounded();
    let server = Server::start(move |visit| {
        let peer = visit.welcome();
        let _ = sockets.send(peer.raw.try_clone().unwrap());
        peer.stay();
    });
    let home = Home::new();
    // The user's intervals: what counts is that the lost connection is noticed on waking.
    let connector = Connector::spawn(&base(&server), &home, &[]);
    let first = opened.recv_timeout(PATIENCE).unwrap();
    connector.signal(Signal::STOP);
    first.shutdown(Shutdown::Both).unwrap();
    drop(first);
    let took = Watch::start();
    connector.signal(Signal::CONT);
    opened.recv_timeout(PATIENCE).unwrap();
    assert!(took.counted() < Duration::from_secs(5), "{:?}", took.counted());
    assert!(connector.stop().success());
}
