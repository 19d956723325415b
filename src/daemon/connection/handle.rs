//! The handle by which other threads talk to the network thread. No call blocks.

use crate::host::FrameSink;
use crate::sys::websocket_loop::{self, WebSocketSender};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

/// What other threads send to the network thread besides frames.
#[derive(Debug, Default)]
pub(super) struct Flags {
    up: AtomicBool,
    closing: AtomicBool,
    pub(super) retry: AtomicBool,
}

impl Flags {
    pub(super) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Release);
        if up {
            self.retry.store(false, Ordering::Release);
        }
    }
    pub(super) fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// Talks to the network thread. Clones are cheap; sends never block. When all are gone the thread ends.
#[derive(Debug, Clone)]
pub struct NetHandle {
    out: WebSocketSender,
    flags: Arc<Flags>,
}

impl NetHandle {
    pub(super) fn new(out: WebSocketSender, flags: Arc<Flags>) -> NetHandle {
        NetHandle { out, flags }
    }

    /// Queues a text frame for the current connection. Dropped (false) while there is none: the hub re-sends what
    /// matters on `Up`.
    pub fn send(&self, frame: String) -> bool {
        self.flags.up.load(Ordering::Acquire) && self.out.send(Message::text(frame))
    }
    /// Bytes queued and not yet on the wire; progress is dropped above a mark, replies never.
    pub fn backlog_bytes(&self) -> usize {
        self.out.backlog_bytes()
    }
    /// See [`WebSocketSender::send_ping`]; nothing happens while there is no connection.
    pub fn send_ping(&self, number: usize) {
        if self.flags.up.load(Ordering::Acquire) {
            self.out.send_ping(number);
        }
    }
    /// See [`WebSocketSender::last_ping_reply`].
    pub fn last_ping_reply(&self) -> Option<websocket_loop::PingReply> {
        self.out.last_ping_reply()
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

impl FrameSink for NetHandle {
    fn send(&self, frame: String) -> bool {
        NetHandle::send(self, frame)
    }

    fn backlog(&self) -> usize {
        self.backlog_bytes()
    }

    fn send_ping(&self, number: usize) {
        NetHandle::send_ping(self, number);
    }

    fn last_ping_reply(&self) -> Option<websocket_loop::PingReply> {
        NetHandle::last_ping_reply(self)
    }
}
