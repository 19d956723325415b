//! The network thread: dial, authenticate, pump, ping, back off. It alone touches the socket.
//!
//! One thread for the life of the daemon. It blocks in poll(2), or in the name lookup of a dial: that one call
//! cannot be interrupted, so whoever closes the daemon waits two seconds for this thread and then leaves without it.

mod backoff;
mod cycle;
mod dial;
mod driver;
pub(crate) mod link_state;

use crate::http::proxy::Proxies;
use crate::secret::Secret;
use crate::sys::pump::{self, Outgoing};
use crate::sys::time;
use crate::wire::assumed;
use crossbeam_channel::Sender;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

/// What the network thread tells the hub. One bounded channel; the thread blocks when the hub is behind.
#[derive(Debug)]
pub enum NetEvent {
    /// Authenticated (or five seconds without an answer). `generation` counts connections.
    Up {
        /// 1, 2, …
        generation: u64,
        /// From the auth reply.
        display_name: Option<String>,
    },
    /// A text frame of the current connection. `pong` is left out, and so is an auth reply that came in time; a late
    /// one is passed on, so that the display name in it is not lost.
    Frame(String),
    /// The connection is gone; frames queued and not flushed are lost, every request of it has failed. Comes after
    /// each failed attempt, too, also when there was no `Up` before.
    Down {
        /// One line.
        why: String,
        /// Until the next attempt.
        retry_in: Duration,
        /// The service refuses the token.
        refused: bool,
    },
}

/// Settings of the network thread.
pub struct NetConfig {
    /// WebSocket URLs to try in turn (see CONNECTION in wtt-connect-protocol(7)).
    pub urls: Vec<String>,
    /// Read again before every attempt, so that a new token in the profile is picked up.
    pub token: Box<dyn FnMut() -> Secret + Send>,
    /// Extra CA bundle.
    pub ca_file: Option<PathBuf>,
    /// Proxies of the environment.
    pub proxies: Proxies,
    /// Intervals, for tests.
    pub timing: Timing,
}

/// Intervals of the connection; `Timing::default()` is what users get.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between text pings: one in 30 s keeps the agent online (see HEARTBEAT in wtt-connect-protocol(7)).
    pub ping: Duration,
    /// Dead when nothing at all came for this long.
    pub dead: Duration,
    /// TCP, TLS and WebSocket handshake together.
    pub dial: Duration,
    /// Wait for the auth reply.
    pub auth: Duration,
    /// Upper bound of the first wait; doubles with every failure.
    pub backoff: Duration,
    /// Backoff cap.
    pub backoff_max: Duration,
    /// Backoff resets only after a connection of this age.
    pub healthy: Duration,
    /// Pause after a refused token.
    pub refused: Duration,
}

/// What else an idle connector does is done with the pings.
const _: () = assert!(assumed::PING_EVERY.as_secs() == time::TICK.as_secs());

impl Default for Timing {
    fn default() -> Self {
        Timing {
            ping: assumed::PING_EVERY,
            dead: assumed::DEAD_PEER_AFTER,
            dial: Duration::from_secs(20),
            auth: assumed::AUTH_WAIT,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            healthy: assumed::HEALTHY_AFTER,
            refused: assumed::REFUSED_RETRY,
        }
    }
}

/// The variable that shortens [`Timing`] for tests of the real binary: a JSON object of milliseconds by field name.
const TEST_TIMING: &str = "WTT_CONNECT_TEST_TIMING";

impl Timing {
    /// The default, or what `WTT_CONNECT_TEST_TIMING` changes of it (tests only), e.g. `{"ping":50,"dead":200}`.
    pub fn from_env() -> Timing {
        let mut timing = Timing::default();
        let text = std::env::var(TEST_TIMING).unwrap_or_default();
        if let Ok(serde_json::Value::Object(changes)) = crate::json::parse(text.as_bytes()) {
            timing.shorten(&changes);
        }
        timing
    }

    fn shorten(&mut self, changes: &serde_json::Map<String, serde_json::Value>) {
        for (name, value) in changes {
            let field = match name.as_str() {
                "ping" => &mut self.ping,
                "dead" => &mut self.dead,
                "dial" => &mut self.dial,
                "auth" => &mut self.auth,
                "backoff" => &mut self.backoff,
                "backoff_max" => &mut self.backoff_max,
                "healthy" => &mut self.healthy,
                "refused" => &mut self.refused,
                _ => {
                    log::warn!("{TEST_TIMING} has no field `{name}`");
                    continue;
                }
            };
            *field = Duration::from_millis(value.as_u64().unwrap_or_default());
        }
    }
}

/// What other threads tell the network thread besides frames.
#[derive(Debug, Default)]
struct Flags {
    up: AtomicBool,
    closing: AtomicBool,
    retry: AtomicBool,
}

impl Flags {
    fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Release);
        if up {
            self.retry.store(false, Ordering::Release);
        }
    }
    fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// Talks to the network thread. Clones are cheap; sends never block. When all are gone the thread ends.
#[derive(Debug, Clone)]
pub struct NetHandle {
    out: Outgoing,
    flags: Arc<Flags>,
}

impl NetHandle {
    /// Queues a text frame for the current connection. Dropped (false) while there is none: the hub re-sends what
    /// matters on `Up`.
    pub fn send(&self, frame: String) -> bool {
        self.flags.up.load(Ordering::Acquire) && self.out.send(Message::text(frame))
    }
    /// Bytes queued and not yet on the wire; progress is dropped above a mark, replies never.
    pub fn backlog_bytes(&self) -> usize {
        self.out.backlog_bytes()
    }
    /// See [`Outgoing::probe`]; nothing happens while there is no connection.
    pub fn probe(&self, number: usize) {
        if self.flags.up.load(Ordering::Acquire) {
            self.out.probe(number);
        }
    }
    /// See [`Outgoing::echo`].
    pub fn echo(&self) -> Option<pump::Echo> {
        self.out.echo()
    }
    /// Ends the waiting between attempts (profile changed, network is back). Nothing happens while connected.
    pub fn retry_now(&self) {
        if !self.flags.up.load(Ordering::Acquire) {
            self.flags.retry.store(true, Ordering::Release);
            self.out.wake();
        }
    }
    /// Close politely and end the thread (1000, "client disconnect"); what was sent before goes first, for at most
    /// two seconds.
    pub fn close(&self) {
        self.flags.closing.store(true, Ordering::Release);
        let frame = CloseFrame { code: CloseCode::Normal, reason: "client disconnect".into() };
        self.out.send(Message::Close(Some(frame)));
    }
}

/// Starts the thread. It ends after `close`, or when the event receiver or all handles are dropped. While it waits
/// for room in `events` it does nothing else, so drop the receiver (or keep reading) when closing.
pub fn start<E: Send + 'static>(
    config: NetConfig,
    events: Sender<E>,
    wrap: fn(NetEvent) -> E,
) -> io::Result<(NetHandle, std::thread::JoinHandle<()>)> {
    let (out, queue) = pump::outgoing()?;
    let flags = Arc::new(Flags::default());
    let handle = NetHandle { out, flags: flags.clone() };
    let thread = crate::sys::thread::spawn("net", move || {
        let mut net = cycle::Net::new(config, flags.clone(), queue);
        net.run(&mut |event| events.send(wrap(event)).is_ok());
        flags.set_up(false);
    })?;
    Ok((handle, thread))
}

/// The WebSocket URLs for a base URL and agent id, without duplicates: first below the host, then below the whole
/// base URL (see CONNECTION in wtt-connect-protocol(7)).
///
/// `ws_url` replaces the base: a URL that ends in the agent id is taken as it is, one that ends in `/ws` gets the id
/// (as the old skill does), any other gets `/ws/<id>` and, where it has a path, is tried with `/<id>` first.
pub fn urls(base_url: &str, ws_url: Option<&str>, agent_id: &str) -> Vec<String> {
    let id: String = agent_id.bytes().map(path_byte).collect();
    let mut urls = Vec::new();
    match ws_url.map(str::trim).filter(|u| !u.is_empty()) {
        Some(url) => {
            let url = websocket_scheme(url);
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            if url.ends_with(&format!("/{id}")) {
                urls.push(url);
            } else {
                if !path.is_empty() {
                    urls.push(format!("{url}/{id}"));
                }
                if path != "ws" && !path.ends_with("/ws") {
                    urls.push(format!("{url}/ws/{id}"));
                }
            }
        }
        None => {
            let base = websocket_scheme(base_url);
            urls.push(format!("{}/ws/{id}", base.strip_suffix("/api/v1").unwrap_or(&base)));
            urls.push(format!("{base}/ws/{id}"));
        }
    }
    urls.dedup();
    urls
}

/// `http` becomes `ws`, `https` (or nothing) becomes `wss`; slashes at the end go.
fn websocket_scheme(url: &str) -> String {
    let (scheme, rest) = url.trim().split_once("://").unwrap_or(("https", url.trim()));
    let secure = !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "ws");
    format!("{}://{}", if secure { "wss" } else { "ws" }, rest.trim_end_matches('/'))
}

fn path_byte(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte);
    if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}
