//! The network thread under test, with short intervals.

use crate::support::server::{PATIENCE, Server};
use crate::support::watch::Watch;
use crossbeam_channel::{Receiver, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wtt_connect::daemon::connection::{self, NetConfig, NetEvent, NetHandle, Timing};
use wtt_connect::http::proxy::Proxies;
use wtt_connect::secret::Secret;

pub const TOKEN: &str = "CANARY-token";

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Quick retries; nothing else that happens by itself within a test.
pub fn timing() -> Timing {
    Timing {
        ping: ms(5_000),
        dead: ms(15_000),
        dial: ms(5_000),
        auth: ms(5_000),
        backoff: ms(8),
        backoff_max: ms(20),
        healthy: ms(10_000),
        refused: ms(60_000),
    }
}

pub fn config(urls: &[String], timing: Timing) -> NetConfig {
    NetConfig {
        urls: urls.to_vec(),
        token: Box::new(|| Secret::new(TOKEN)),
        ca_file: None,
        proxies: Proxies::default(),
        timing,
    }
}

/// A running network thread.
pub struct Rig {
    pub net: NetHandle,
    pub events: Receiver<NetEvent>,
    pub thread: JoinHandle<()>,
}

/// A `Down` event.
#[derive(Debug)]
pub struct Lost {
    pub why: String,
    pub retry_in: Duration,
    pub refused: bool,
}

impl Rig {
    pub fn start(config: NetConfig) -> Rig {
        let (tx, events) = unbounded();
        let (net, thread) = connection::start(config, tx, |event| event).unwrap();
        Rig { net, events, thread }
    }

    /// Against a server, with a timing.
    pub fn at(server: &Server, timing: Timing) -> Rig {
        Rig::start(config(&[server.url()], timing))
    }

    pub fn next(&self) -> NetEvent {
        self.events.recv_timeout(PATIENCE).expect("an event within the time limit")
    }

    /// Expects `Up`: connection_number and display name.
    pub fn up(&self) -> (u64, Option<String>) {
        match self.next() {
            NetEvent::Up { connection_number, display_name } => (connection_number, display_name),
            other => panic!("expected Up, got {other:?}"),
        }
    }

    /// Expects `Down`.
    pub fn down(&self) -> Lost {
        match self.next() {
            NetEvent::Down { why, retry_in, refused } => {
                assert!(!why.contains(TOKEN) && !why.contains('\n'), "{why}");
                Lost { why, retry_in, refused }
            }
            other => panic!("expected Down, got {other:?}"),
        }
    }

    /// Skips everything before the next `Up`.
    pub fn up_again(&self) -> u64 {
        loop {
            if let NetEvent::Up { connection_number, .. } = self.next() {
                return connection_number;
            }
        }
    }

    /// Expects a frame.
    pub fn frame(&self) -> String {
        match self.next() {
            NetEvent::Frame(text) => text,
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    /// Closes and waits for the thread.
    pub fn close(self) {
        self.net.close();
        self.join(PATIENCE);
    }

    /// Waits until the thread has ended, which drops the sender of the events.
    pub fn join(self, limit: Duration) {
        let (took, until) = (Watch::start(), std::time::Instant::now() + PATIENCE.max(limit));
        while let Ok(_late) = self.events.recv_deadline(until) {}
        assert!(took.counted() < limit, "the network thread did not end within {limit:?}");
        self.thread.join().unwrap();
    }
}

/// A token source that counts how often it is asked, and hands out `first`, then `later`.
pub fn changing_token(
    first: &'static str,
    later: &'static str,
) -> (Box<dyn FnMut() -> Secret + Send>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let source = move || {
        let n = count.fetch_add(1, Ordering::SeqCst);
        Secret::new(if n == 0 { first } else { later })
    };
    (Box::new(source), asked)
}
