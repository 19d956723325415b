//! `sys::websocket_loop` over real sockets, without a handshake: echo, close, back-pressure, idleness.

use crate::support::daemon::PATIENCE;
use crate::support::watch::Watch;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};
use wtt_connect::sys::tls::Stream;
use wtt_connect::sys::websocket_loop::{self, Driver, Flow, LoopEnd, WebSocketSender};

/// Passes on what arrives; ends at a deadline that never moves unless told.
struct Recorder {
    seen: Sender<Message>,
}

impl Driver for Recorder {
    fn on_message(&mut self, message: Message) -> Flow {
        let _ = self.seen.send(message);
        Flow::Continue
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn on_deadline(&mut self, _: Instant) -> Flow {
        Flow::Continue
    }
}

type Ended = Result<LoopEnd, String>;

struct Side {
    out: WebSocketSender,
    seen: Receiver<Message>,
    thread: JoinHandle<Ended>,
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (a, listener.accept().unwrap().0)
}

/// Runs a WebSocket loop on `socket` in a thread.
fn side(socket: TcpStream, role: Role) -> Side {
    socket.set_nonblocking(true).unwrap();
    let mut ws =
        WebSocket::from_raw_socket(Stream::Plain(socket), role, Some(websocket_loop::websocket_config()));
    let (out, mut queue) = websocket_loop::send_queue().unwrap();
    let (tx, seen) = unbounded();
    let thread = std::thread::spawn(move || {
        let mut driver = Recorder { seen: tx };
        websocket_loop::run(&mut ws, &mut queue, &mut driver).map_err(|e| e.to_string())
    });
    Side { out, seen, thread }
}

fn next(side: &Side) -> Message {
    side.seen.recv_timeout(PATIENCE).expect("a message within the time limit")
}

#[test]
fn two_pumps_talk_and_part_politely() {
    let (a, b) = pair();
    let (client, server) = (side(a, Role::Client), side(b, Role::Server));
    for i in 0..100 {
        assert!(client.out.send(Message::text(format!("q{i}"))));
        assert_eq!(next(&server), Message::text(format!("q{i}")));
        assert!(server.out.send(Message::text(format!("a{i}"))));
        assert_eq!(next(&client), Message::text(format!("a{i}")));
    }
    assert!(client.out.send(Message::text("last")));
    drop(client.out);
    assert_eq!(next(&server), Message::text("last"));
    assert_eq!(client.thread.join().unwrap(), Ok(LoopEnd::SendersDropped));
    assert_eq!(server.thread.join().unwrap(), Ok(LoopEnd::PeerClosed(Some((1000, String::new())))));
    assert!(!server.out.send(Message::text("too late")));
}

#[test]
fn full_buffers_in_both_directions_do_not_deadlock() {
    let (a, b) = pair();
    let (client, server) = (side(a, Role::Client), side(b, Role::Server));
    let big = "x".repeat(64 * 1024);
    for _ in 0..384 {
        client.out.send(Message::text(big.clone()));
        server.out.send(Message::text(big.clone()));
    }
    for _ in 0..384 {
        assert_eq!(next(&client).len(), big.len());
        assert_eq!(next(&server).len(), big.len());
    }
}

#[test]
fn a_flood_of_input_does_not_delay_output() {
    let (a, b) = pair();
    let (client, server) = (side(a, Role::Client), side(b, Role::Server));
    for _ in 0..100_000 {
        server.out.send(Message::text("flood"));
    }
    next(&client);
    let took = Watch::start();
    client.out.send(Message::text("hello"));
    assert_eq!(next(&server), Message::text("hello"));
    assert!(took.counted() < Duration::from_secs(5), "{:?}", took.counted());
    for _ in 1..100_000 {
        next(&client);
    }
}

#[test]
fn a_wake_up_consumed_while_the_socket_was_full_is_not_lost() {
    let (a, mut b) = pair();
    let client = side(a, Role::Client);
    // More than both socket buffers hold, so that the loop blocks with frames left in its queue.
    let big = vec![0u8; 1 << 20];
    for _ in 0..16 {
        client.out.send(Message::binary(big.clone()));
    }
    let until = Instant::now() + PATIENCE;
    let mut last = usize::MAX;
    while last != client.out.backlog_bytes() {
        last = client.out.backlog_bytes();
        assert!(last > 8 << 20 && Instant::now() < until);
        std::thread::sleep(Duration::from_millis(50)); // the only sign of being stuck is that nothing moves
    }
    client.out.send(Message::text("last"));
    b.set_read_timeout(Some(PATIENCE)).unwrap();
    // Now read everything; nothing wakes the loop any more.
    let mut ws = WebSocket::from_raw_socket(&mut b, Role::Server, Some(websocket_loop::websocket_config()));
    let took = Watch::start();
    let mut read = || loop {
        match ws.read() {
            // the process was stopped and goes on
            Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::Interrupted => {}
            message => return message.unwrap(),
        }
    };
    for _ in 0..16 {
        assert_eq!(read().len(), big.len());
    }
    assert_eq!(read(), Message::text("last"));
    assert!(took.counted() < Duration::from_secs(1), "{:?}", took.counted());
    assert_eq!(client.out.backlog_bytes(), 0);
}

#[test]
fn a_peer_that_never_answers_a_close_is_left() {
    let (a, _b) = pair();
    let client = side(a, Role::Client);
    let took = Watch::start();
    drop(client.out);
    assert_eq!(client.thread.join().unwrap(), Ok(LoopEnd::SendersDropped));
    assert!(took.counted() < Duration::from_secs(3));
}

#[test]
fn a_queued_close_frame_goes_last_and_carries_its_reason() {
    let (a, b) = pair();
    let (client, server) = (side(a, Role::Client), side(b, Role::Server));
    client.out.send(Message::text("before"));
    client.out.send(Message::Close(Some(CloseFrame { code: 1001.into(), reason: "gone".into() })));
    assert_eq!(next(&server), Message::text("before"));
    assert_eq!(server.thread.join().unwrap(), Ok(LoopEnd::PeerClosed(Some((1001, "gone".to_owned())))));
    assert_eq!(client.thread.join().unwrap(), Ok(LoopEnd::DriverClosed));
}
