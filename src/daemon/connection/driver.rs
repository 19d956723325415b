//! One connection after the upgrade: waits for the auth reply, pings, notices silence, passes frames on.
//!
//! A state machine driven by the WebSocket loop; it touches no socket. See AUTHENTICATION and HEARTBEAT in
//! wtt-connect-protocol(7).

use super::config::Timing;
use super::event::NetEvent;
use super::handle::Flags;
use crate::sys::fault_injection;
use crate::sys::time;
use crate::sys::websocket_loop::{Driver, Flow};
use crate::wire::frame::{Frame, decode};
use std::time::{Duration, Instant};
use tungstenite::Message;

/// A polite close may wait this long behind a full socket.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Frames held back until the auth reply; more than this (in bytes) means that it is not going to come first.
const HELD_MAX_BYTES: usize = 4 << 20;

/// What became of the auth request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// No answer yet.
    Asked,
    /// The service said yes.
    Accepted,
}

/// The connection's state.
pub(crate) struct ConnectionDriver<'a> {
    pub(crate) timing: Timing,
    pub(crate) flags: &'a Flags,
    /// Hands an event to the hub; false when the hub is gone.
    pub(crate) emit: &'a mut dyn FnMut(NetEvent) -> bool,
    pub(crate) connection_number: u64,
    request_id: String,
    auth: Auth,
    opened: Instant,
    up_at: Option<Instant>,
    held: Vec<String>,
    held_bytes: usize,
    heard: Instant,
    next_ping: Instant,
    close_by: Option<Instant>,
    ended: Option<DriverEnd>,
}

/// Why the link itself ended the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DriverEnd {
    /// `ok:false` to the auth request.
    Refused(String),
    /// Nothing heard for `Timing::dead`.
    Silent,
    /// The hub has dropped its receiver.
    Deaf,
    /// The peer's socket stayed full while we wanted to close.
    Stuck,
}

impl<'a> ConnectionDriver<'a> {
    pub(crate) fn new(
        timing: Timing,
        flags: &'a Flags,
        emit: &'a mut dyn FnMut(NetEvent) -> bool,
        connection_number: u64,
        request_id: String,
    ) -> ConnectionDriver<'a> {
        let now = Instant::now();
        ConnectionDriver {
            timing,
            flags,
            emit,
            connection_number,
            request_id,
            auth: Auth::Asked,
            opened: now,
            up_at: None,
            held: Vec::new(),
            held_bytes: 0,
            heard: now,
            next_ping: time::next_tick(now, timing.ping),
            close_by: None,
            ended: None,
        }
    }

    /// Why the link ended it, if it did.
    pub(crate) fn ended(&self) -> Option<&DriverEnd> {
        self.ended.as_ref()
    }

    /// The service has said that the token is good.
    pub(crate) fn accepted(&self) -> bool {
        self.auth == Auth::Accepted
    }

    /// For how long it has been up.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.up_at.map(|at| at.elapsed())
    }

    fn end(&mut self, why: DriverEnd) -> Flow {
        self.ended.get_or_insert(why);
        Flow::End
    }

    fn go_up(&mut self, display_name: Option<String>) -> Flow {
        self.up_at = Some(Instant::now());
        self.flags.set_up(true);
        let mut alive = (self.emit)(NetEvent::Up { connection_number: self.connection_number, display_name });
        for frame in std::mem::take(&mut self.held) {
            alive = alive && (self.emit)(NetEvent::Frame(frame));
        }
        if alive { Flow::Continue } else { self.end(DriverEnd::Deaf) }
    }

    fn on_text(&mut self, text: String) -> Flow {
        fault_injection::panic_at("net", &text);
        if text.trim() == "pong" || matches!(self.ended, Some(DriverEnd::Refused(_))) {
            return Flow::Continue;
        }
        // After `Up` without an answer only what may be the late answer is worth decoding here.
        if self.auth == Auth::Asked && (self.up_at.is_none() || text.contains("action_result")) {
            match auth_reply(&text, &self.request_id, self.up_at.is_none()) {
                Some(Reply::Yes(name)) => {
                    self.auth = Auth::Accepted;
                    if self.up_at.is_none() {
                        return self.go_up(name);
                    }
                }
                Some(Reply::No(why)) => {
                    self.ended = Some(DriverEnd::Refused(why));
                    return Flow::Close;
                }
                None => {}
            }
        }
        if self.up_at.is_none() {
            self.held_bytes += text.len();
            self.held.push(text);
            return if self.held_bytes > HELD_MAX_BYTES { self.go_up(None) } else { Flow::Continue };
        }
        if (self.emit)(NetEvent::Frame(text)) { Flow::Continue } else { self.end(DriverEnd::Deaf) }
    }
}

impl Driver for ConnectionDriver<'_> {
    fn on_message(&mut self, message: Message) -> Flow {
        match message {
            Message::Text(text) => self.on_text(text.as_str().to_owned()),
            Message::Binary(_) => {
                log::debug!("a binary frame was ignored");
                Flow::Continue
            }
            Message::Close(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Flow::Continue,
        }
    }

    fn on_traffic(&mut self, now: Instant) {
        self.heard = now;
    }

    fn deadline(&self) -> Option<Instant> {
        let auth = self.up_at.is_none().then(|| self.opened + self.timing.auth);
        [Some(self.next_ping), Some(self.heard + self.timing.dead), auth, self.close_by]
            .into_iter()
            .flatten()
            .min()
    }

    fn on_deadline(&mut self, now: Instant) -> Flow {
        if self.close_by.is_some_and(|at| at <= now) {
            return self.end(DriverEnd::Stuck);
        }
        if self.heard + self.timing.dead <= now {
            return self.end(DriverEnd::Silent);
        }
        if self.up_at.is_none() && self.opened + self.timing.auth <= now {
            return self.go_up(None);
        }
        if self.next_ping <= now {
            self.next_ping = time::next_tick(now, self.timing.ping);
            return Flow::Send(Message::text("ping"));
        }
        Flow::Continue
    }

    fn on_wake(&mut self) -> Flow {
        if self.flags.closing() {
            self.close_by.get_or_insert_with(|| Instant::now() + CLOSE_LIMIT);
        }
        Flow::Continue
    }
}

enum Reply {
    Yes(Option<String>),
    No(String),
}

/// Is this frame the answer to our auth request? It may come without the id; while nothing else has
/// been asked (`first`), any result without an id is meant.
fn auth_reply(text: &str, request_id: &str, first: bool) -> Option<Reply> {
    let Frame::Result(result) = decode(text) else { return None };
    let ours = match result.request_id.as_deref() {
        Some(id) => id == request_id,
        None => first || result.is_authenticated(),
    };
    if !ours {
        return None;
    }
    if !result.ok {
        return Some(Reply::No(result.error.unwrap_or_else(|| "no reason given".to_owned())));
    }
    Some(Reply::Yes(result.display_name()))
}
