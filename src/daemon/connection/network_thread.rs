//! The thread's loop: attempt, judge how it ended, wait, again; for ever.

use super::backoff::Backoff;
use super::config::NetConfig;
use super::dial::{Dial, DialError, brief};
use super::driver::{ConnectionDriver, DriverEnd};
use super::event::NetEvent;
use super::handle::{Flags, NetHandle};
use crate::secret::Secret;
use crate::sys::poll::{time_until, wait_for_socket};
use crate::sys::websocket_loop::{self, LoopEnd, SendQueue};
use crate::sys::{id, tls};
use crate::wire::assumed::close_refuses_token;
use crossbeam_channel::Sender;
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tungstenite::{Error as WsError, Message, error::ProtocolError};

/// This many connections in a row that were closed young are no accident (see RECONNECTION in
/// wtt-connect-protocol(7)).
const KICKED_OUT: u32 = 3;

/// Starts the thread. It ends after `close`, or when the event receiver or all handles are dropped. While it waits
/// for room in `events` it does nothing else, so drop the receiver (or keep reading) when closing.
pub fn start<E: Send + 'static>(
    config: NetConfig,
    events: Sender<E>,
    wrap: fn(NetEvent) -> E,
) -> io::Result<(NetHandle, std::thread::JoinHandle<()>)> {
    let (out, queue) = websocket_loop::send_queue()?;
    let flags = Arc::new(Flags::default());
    let handle = NetHandle::new(out, flags.clone());
    let thread = crate::sys::thread::spawn("net", move || {
        let mut net = NetworkThread::new(config, flags.clone(), queue);
        net.run(&mut |event| events.send(wrap(event)).is_ok());
        flags.set_up(false);
    })?;
    Ok((handle, thread))
}

/// Everything that outlives a connection.
pub(crate) struct NetworkThread {
    config: NetConfig,
    flags: Arc<Flags>,
    queue: SendQueue,
    /// Read when first needed, so that a missing CA file is one failed attempt and can be repaired.
    tls: Option<Arc<ClientConfig>>,
    backoff: Backoff,
    /// Which of the URLs is next.
    url: usize,
    connection_number: u64,
    /// Connections in a row that the service accepted and closed before they were healthy.
    short_lived: u32,
}

/// How an attempt ended.
enum AttemptOutcome {
    /// The thread is no longer wanted.
    Stop,
    LostConnection(LostConnection),
}

struct LostConnection {
    why: String,
    after: Option<Duration>,
    refused: bool,
    /// The service took the token: the URL is right.
    accepted: bool,
    /// It lasted long enough for the next failure to be a new one.
    healthy: bool,
}

impl LostConnection {
    fn early(why: String, after: Option<Duration>, refused: bool) -> AttemptOutcome {
        AttemptOutcome::LostConnection(LostConnection {
            why,
            after,
            refused,
            accepted: false,
            healthy: false,
        })
    }
}

type Emit<'a> = dyn FnMut(NetEvent) -> bool + 'a;

impl NetworkThread {
    pub(crate) fn new(config: NetConfig, flags: Arc<Flags>, queue: SendQueue) -> NetworkThread {
        NetworkThread {
            backoff: Backoff::new(config.timing.backoff, config.timing.backoff_max),
            config,
            flags,
            queue,
            tls: None,
            url: 0,
            connection_number: 0,
            short_lived: 0,
        }
    }

    /// Runs until closed.
    pub(crate) fn run(&mut self, emit: &mut Emit<'_>) {
        while !self.flags.closing() {
            let token = (self.config.token)();
            let outcome = self.attempt(&token, emit);
            self.flags.set_up(false);
            self.queue.clear();
            let AttemptOutcome::LostConnection(lost) = outcome else { return };
            let retry_in = self.judge(&lost);
            let why = scrub(&lost.why, &token);
            if self.short_lived == KICKED_OUT {
                log::warn!(
                    "the service keeps closing young connections: does another wtt-connect run as this agent?"
                );
            }
            if !emit(NetEvent::Down { why, retry_in, refused: lost.refused }) || !self.pause(retry_in) {
                return;
            }
        }
    }

    fn attempt(&mut self, token: &Secret, emit: &mut Emit<'_>) -> AttemptOutcome {
        if token.is_empty() {
            return LostConnection::early("no token is set".into(), None, true);
        }
        let timing = self.config.timing;
        let until = Instant::now() + timing.dial;
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => match tls::client_config(self.config.ca_file.as_deref()) {
                Ok(tls) => self.tls.insert(tls).clone(),
                Err(e) => return LostConnection::early(e.to_string(), None, false),
            },
        };
        let Some(url) = self.config.urls.get(self.url) else {
            return LostConnection::early("no address is configured".into(), None, false);
        };
        log::debug!("connecting to {url}");
        let flags = self.flags.clone();
        let dial = Dial {
            proxies: &self.config.proxies,
            tls,
            dead: timing.dead,
            until,
            wake: &mut self.queue.wake,
            give_up: &|| flags.closing(),
        };
        let mut ws = match dial.open(url) {
            Ok(ws) => ws,
            Err(DialError::Cancelled) => return AttemptOutcome::Stop,
            Err(DialError::Retry(why, after)) => return LostConnection::early(why, after, false),
            Err(DialError::Refused(why)) => return LostConnection::early(why, None, true),
        };
        // Frames that slipped in after the last connection was lost belong to it.
        self.queue.clear();
        if self.flags.closing() {
            return AttemptOutcome::Stop;
        }
        self.connection_number += 1;
        let request_id = format!("auth-{}", id::hex());
        let auth = Message::text(crate::wire::outgoing::auth(&request_id, token.expose()));
        let mut link = ConnectionDriver::new(timing, &self.flags, emit, self.connection_number, request_id);
        let end = match ws.write(auth) {
            // `WouldBlock` means queued: the WebSocket loop flushes.
            Err(e) if !matches!(&e, WsError::Io(e) if e.kind() == std::io::ErrorKind::WouldBlock) => {
                Err(Box::new(e))
            }
            _ => websocket_loop::run(&mut ws, &mut self.queue, &mut link),
        };
        let (age, accepted, ended) = (link.age(), link.accepted(), link.ended().cloned());
        if self.flags.closing()
            || matches!(end, Ok(LoopEnd::SendersDropped))
            || ended == Some(DriverEnd::Deaf)
        {
            return AttemptOutcome::Stop;
        }
        // A close that says "go away" counts as a refusal only while authenticating: hours later the token was good.
        let young = age.is_none_or(|age| age < timing.auth);
        let (why, refused) = match (ended, end) {
            (Some(DriverEnd::Refused(why)), _) => (format!("the service refuses the token: {why}"), true),
            (Some(DriverEnd::Silent), _) => (format!("nothing heard for {:.0?}", timing.dead), false),
            (_, Ok(LoopEnd::PeerClosed(Some((code, reason))))) if young && close_refuses_token(code) => {
                (format!("the service refuses the token ({})", closed(code, &reason)), true)
            }
            (_, Ok(LoopEnd::PeerClosed(Some((code, reason))))) => {
                (format!("the service closed ({})", closed(code, &reason)), false)
            }
            (_, Ok(LoopEnd::PeerClosed(None))) => ("the service closed".to_owned(), false),
            (_, Ok(LoopEnd::DriverClosed | LoopEnd::SendersDropped)) => ("closed".to_owned(), false),
            (_, Err(e)) => (explain(&e), false),
        };
        let healthy = age.is_some_and(|age| age >= timing.healthy);
        AttemptOutcome::LostConnection(LostConnection { why, after: None, refused, accepted, healthy })
    }

    /// Decides what the end means for the next attempt: its URL, and when.
    fn judge(&mut self, lost: &LostConnection) -> Duration {
        if lost.healthy {
            self.backoff.reset();
        }
        if !lost.accepted && !self.config.urls.is_empty() {
            self.url = (self.url + 1) % self.config.urls.len();
        }
        self.short_lived = if lost.accepted && !lost.healthy { self.short_lived + 1 } else { 0 };
        let pause = self.backoff.next(lost.after);
        if lost.refused { pause.max(self.config.timing.refused) } else { pause }
    }

    /// Waits for the time to pass; false when the thread is no longer wanted.
    fn pause(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while !self.flags.closing() && !self.flags.retry.swap(false, Ordering::AcqRel) {
            let left = time_until(until);
            if left.is_zero() {
                return true;
            }
            match wait_for_socket(None, Some(&mut self.queue.wake), Some(left)) {
                Ok(ready) if ready.is_waker_closed => return false,
                Ok(_) => {}
                Err(e) => {
                    log::error!("the network thread cannot wait: {e}");
                    return false;
                }
            }
        }
        !self.flags.closing()
    }
}

fn closed(code: u16, reason: &str) -> String {
    let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
    if reason.is_empty() { format!("code {code}") } else { format!("code {code}: {reason}") }
}

fn explain(error: &WsError) -> String {
    match error {
        WsError::Io(e) => format!("connection lost: {}", brief(e)),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            "connection lost without a close".to_owned()
        }
        error => format!("connection dropped: {error}"),
    }
}

/// Nothing that the service says back may show the token.
fn scrub(text: &str, token: &Secret) -> String {
    if token.is_empty() { text.to_owned() } else { text.replace(token.expose(), "***") }
}
