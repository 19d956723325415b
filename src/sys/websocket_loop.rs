//! The loop of one WebSocket on one thread: blocks in poll(2) on the socket and on outgoing messages, without polling timers.
//!
//! The daemon's network thread (client side) and the local service (server side) use it. It knows nothing of WTT. The socket
//! must be non-blocking. Facts about tungstenite that shape this file: `WouldBlock` from `write` means *queued*, so only a flush
//! follows; `flush` returns Ok when everything is in the kernel; messages that are decoded but not yet returned are invisible to
//! poll, so reading continues until `WouldBlock` or the burst limit.

use crate::sys::poll::{self, WakeReceiver, Waker, time_until};
use crate::sys::tls::Stream;
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error as WsError, Message, WebSocket, protocol::CloseFrame};

/// Messages read per iteration: a flood must not delay outgoing frames.
const READ_BURST: usize = 64;
/// Bytes moved from the queue per iteration: a full queue must not delay incoming frames.
const WRITE_BURST_BYTES: usize = 256 * 1024;
/// How long the peer may take to answer a close frame before the socket is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest message accepted from a peer. A longer one ends the connection before memory is allocated for it.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Limit of the bytes that wait inside the library. Only a single frame larger than this can exceed it.
const MAX_WRITE_BUFFER_BYTES: usize = 8 << 20;
/// Read buffer: the default of 128 KiB is zero-filled for every read.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// The limits and buffer sizes for both sides.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
}

/// Queues frames from any thread. Cloning is cheap, sending never blocks. A close frame closes the connection once everything
/// before it is sent; so does dropping all clones.
// The field order matters: the sender is dropped first, so that the hang-up of the waker finds a channel without senders.
#[derive(Clone, Debug)]
pub struct WebSocketSender {
    tx: Sender<Message>,
    waker: Waker,
    queued_bytes: Arc<AtomicUsize>,
    last_reply: Arc<Mutex<Option<PingReply>>>,
}

/// A pong that answers [`WebSocketSender::send_ping`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingReply {
    /// The number in the ping.
    pub number: usize,
    /// When the pong was read.
    pub received_at: Instant,
}

/// The loop's side of [`WebSocketSender`]. It outlives a connection, and so do the frames in it.
#[derive(Debug)]
pub struct SendQueue {
    /// Frames to send.
    pub rx: Receiver<Message>,
    /// Wakes the loop.
    pub wake: WakeReceiver,
    queued_bytes: Arc<AtomicUsize>,
    last_reply: Arc<Mutex<Option<PingReply>>>,
}

/// Makes a connected pair.
///
/// # Errors
/// When the waker's socket pair cannot be created.
pub fn send_queue() -> io::Result<(WebSocketSender, SendQueue)> {
    let (waker, wake) = crate::sys::poll::waker_pair()?;
    let (tx, rx) = crossbeam_channel::unbounded();
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    let last_reply = Arc::new(Mutex::new(None));
    let sender =
        WebSocketSender { tx, waker, queued_bytes: queued_bytes.clone(), last_reply: last_reply.clone() };
    Ok((sender, SendQueue { rx, wake, queued_bytes, last_reply }))
}

impl WebSocketSender {
    /// Queues a frame and wakes the loop. Returns false when the queue is dropped.
    pub fn send(&self, message: Message) -> bool {
        let bytes = message.len();
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_queued = self.tx.send(message).is_ok();
        if !is_queued {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        self.waker.wake();
        is_queued
    }

    /// Queues a ping behind everything that was sent before: its pong shows that the peer has received all of that.
    pub fn send_ping(&self, number: usize) {
        self.send(Message::Ping(number.to_be_bytes().to_vec().into()));
    }

    /// The last pong that answered a [`WebSocketSender::send_ping`].
    pub fn last_ping_reply(&self) -> Option<PingReply> {
        *self.last_reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that were sent and have not reached the kernel yet.
    pub fn backlog_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// Makes the loop call [`Driver::on_wake`].
    pub fn wake(&self) {
        self.waker.wake();
    }
}

impl SendQueue {
    /// Discards all queued frames, for example after a lost connection.
    pub fn clear(&mut self) {
        while let Ok(message) = self.rx.try_recv() {
            self.queued_bytes.fetch_sub(message.len(), Ordering::Relaxed);
        }
    }
}

/// The callbacks of a loop, all on its thread.
pub trait Driver {
    /// Called for a text, binary or close frame. The library answers pings.
    fn on_message(&mut self, message: Message) -> Flow;
    /// When to call `on_deadline` next, if at all. Not called while the connection is being closed.
    fn deadline(&self) -> Option<Instant>;
    /// Called when the deadline has passed. May return a frame to send (a ping), or end. Must move or clear the deadline.
    fn on_deadline(&mut self, now: Instant) -> Flow;
    /// Called when bytes came from the peer, even if only a part of a frame or a control frame: it is alive.
    fn on_traffic(&mut self, _now: Instant) {}
    /// Called after [`WebSocketSender::wake`] and after a frame was queued, to check flags set by other threads.
    fn on_wake(&mut self) -> Flow {
        Flow::Continue
    }
}

/// What the loop does after a callback.
#[derive(Debug)]
pub enum Flow {
    /// Nothing special.
    Continue,
    /// Sends this frame before anything that is queued. A close frame closes the connection.
    Send(Message),
    /// Closes with a handshake (for at most two seconds), then ends.
    Close,
    /// Drops the connection at once.
    End,
}

/// Why a loop ended without an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopEnd {
    /// The peer closed the connection (with this code and reason, if given).
    PeerClosed(Option<(u16, String)>),
    /// The driver closed it, or a close frame was queued.
    DriverClosed,
    /// All [`WebSocketSender`] clones are dropped.
    SendersDropped,
}

/// Runs until the connection ends. Frames that are still queued stay in the queue.
///
/// # Errors
/// The error of tungstenite, or of poll(2), that ended the connection.
pub fn run(
    ws: &mut WebSocket<Stream>,
    queue: &mut SendQueue,
    driver: &mut dyn Driver,
) -> Result<LoopEnd, Box<WsError>> {
    let mut socket_loop = WebSocketLoop {
        ws,
        queue,
        driver,
        is_write_blocked: false,
        has_more_work: false,
        has_traffic: false,
        unflushed_bytes: 0,
        closing: None,
        has_write_failed: false,
        is_waker_closed: false,
    };
    loop {
        if let ControlFlow::Break(end) = socket_loop.run_once() {
            socket_loop.queue.queued_bytes.fetch_sub(socket_loop.unflushed_bytes, Ordering::Relaxed);
            return end;
        }
    }
}

type LoopFlow = ControlFlow<Result<LoopEnd, Box<WsError>>>;

struct WebSocketLoop<'a> {
    ws: &'a mut WebSocket<Stream>,
    queue: &'a mut SendQueue,
    driver: &'a mut dyn Driver,
    /// Bytes wait inside the library because the socket is full: poll for output, take nothing from the queue.
    is_write_blocked: bool,
    /// There is work that poll cannot see: do not block.
    has_more_work: bool,
    /// Bytes came from the peer since the last call of `on_traffic`.
    has_traffic: bool,
    /// Bytes taken from the queue since the last complete flush.
    unflushed_bytes: usize,
    /// A close handshake is in progress: its reason and its deadline.
    closing: Option<(LoopEnd, Instant)>,
    /// A write has failed: only what the peer sent before is still of interest.
    has_write_failed: bool,
    /// All wakers are dropped. poll(2) would report that for ever.
    is_waker_closed: bool,
}

impl WebSocketLoop<'_> {
    fn run_once(&mut self) -> LoopFlow {
        self.has_more_work = false;
        self.read()?;
        self.run_timers()?;
        self.write_queued()?;
        self.flush()?;
        self.wait()
    }

    fn read(&mut self) -> LoopFlow {
        for _ in 0..READ_BURST {
            match self.ws.read() {
                Ok(Message::Pong(payload)) => {
                    self.has_traffic = true;
                    if let Ok(number) = payload.as_ref().try_into().map(usize::from_be_bytes) {
                        let mut reply = self.queue.last_reply.lock().unwrap_or_else(PoisonError::into_inner);
                        *reply = Some(PingReply { number, received_at: Instant::now() });
                    }
                }
                Ok(Message::Ping(_) | Message::Frame(_)) => self.has_traffic = true,
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    self.has_traffic = true;
                    let flow = self.driver.on_message(message);
                    self.apply(flow)?;
                }
                Ok(Message::Close(frame)) => {
                    if self.closing.is_none() {
                        let why = frame.as_ref().map(|f| (u16::from(f.code), f.reason.to_string()));
                        self.closing = Some((LoopEnd::PeerClosed(why), Instant::now() + CLOSE_TIMEOUT));
                    }
                    let flow = self.driver.on_message(Message::Close(frame));
                    self.apply(flow)?;
                }
                Err(e) if would_block(&e) => return LoopFlow::Continue(()),
                Err(e) => return self.fail(e),
            }
        }
        self.has_more_work = true;
        LoopFlow::Continue(())
    }

    fn run_timers(&mut self) -> LoopFlow {
        let now = Instant::now();
        if std::mem::take(&mut self.has_traffic) {
            self.driver.on_traffic(now);
        }
        match &self.closing {
            Some((end, until)) if *until <= now => LoopFlow::Break(Ok(end.clone())),
            Some(_) => LoopFlow::Continue(()),
            None if self.driver.deadline().is_some_and(|at| at <= now) => {
                let flow = self.driver.on_deadline(now);
                self.apply(flow)
            }
            None => LoopFlow::Continue(()),
        }
    }

    /// Moves queued frames to the library, only while it has written the earlier ones: this bounds its buffer.
    fn write_queued(&mut self) -> LoopFlow {
        let mut bytes = 0;
        while !self.is_write_blocked && self.closing.is_none() {
            if bytes > WRITE_BURST_BYTES {
                self.has_more_work = true;
                break;
            }
            match self.queue.rx.try_recv() {
                Ok(message) => {
                    bytes += message.len();
                    self.unflushed_bytes += message.len();
                    self.write_message(message)?;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.close(LoopEnd::SendersDropped, normal_closure())?,
            }
        }
        LoopFlow::Continue(())
    }

    fn write_message(&mut self, message: Message) -> LoopFlow {
        if let Message::Close(frame) = message {
            return self.close(LoopEnd::DriverClosed, frame);
        }
        if self.has_write_failed || self.closing.is_some() {
            return LoopFlow::Continue(());
        }
        match self.ws.write(message) {
            Ok(()) => LoopFlow::Continue(()),
            Err(e) if would_block(&e) => {
                self.is_write_blocked = true;
                LoopFlow::Continue(())
            }
            Err(WsError::WriteBufferFull(message)) => {
                log::error!(
                    "a frame of {} bytes is larger than the connection can take; dropped",
                    message.len()
                );
                LoopFlow::Continue(())
            }
            Err(e) => self.read_after_write_error(e),
        }
    }

    fn close(&mut self, end: LoopEnd, frame: Option<CloseFrame>) -> LoopFlow {
        if self.closing.is_some() {
            return LoopFlow::Continue(());
        }
        self.closing = Some((end, Instant::now() + CLOSE_TIMEOUT));
        match self.ws.close(frame) {
            Ok(()) => LoopFlow::Continue(()),
            Err(e) if would_block(&e) => {
                self.is_write_blocked = true;
                LoopFlow::Continue(())
            }
            Err(e) => self.read_after_write_error(e),
        }
    }

    /// Also sends the pongs and close replies that the library has queued.
    fn flush(&mut self) -> LoopFlow {
        let was_blocked = self.is_write_blocked;
        self.is_write_blocked = match self.ws.flush() {
            Ok(()) => {
                self.queue
                    .queued_bytes
                    .fetch_sub(std::mem::take(&mut self.unflushed_bytes), Ordering::Relaxed);
                false
            }
            Err(e) if would_block(&e) => true,
            Err(e) => return self.read_after_write_error(e),
        };
        // Nothing was taken from the queue while the socket was full, and its wake-up has been consumed: check it again
        // before blocking.
        self.has_more_work |= was_blocked && !self.is_write_blocked;
        LoopFlow::Continue(())
    }

    fn wait(&mut self) -> LoopFlow {
        let until = match &self.closing {
            Some((_, until)) => Some(*until),
            None => self.driver.deadline(),
        };
        let timeout = if self.has_more_work { Some(Duration::ZERO) } else { until.map(time_until) };
        let output = self.is_write_blocked || self.ws.get_ref().wants_write();
        let wake = if self.is_waker_closed { None } else { Some(&mut self.queue.wake) };
        let ready = match poll::wait_for_socket(Some((self.ws.get_ref().socket(), output)), wake, timeout) {
            Ok(ready) => ready,
            Err(e) => return self.fail(WsError::Io(e)),
        };
        self.has_traffic |= ready.is_readable;
        self.is_waker_closed |= ready.is_waker_closed;
        if !ready.is_woken {
            return LoopFlow::Continue(());
        }
        let flow = self.driver.on_wake();
        self.apply(flow)
    }

    fn apply(&mut self, flow: Flow) -> LoopFlow {
        match flow {
            Flow::Continue => LoopFlow::Continue(()),
            Flow::Send(message) => self.write_message(message),
            Flow::Close => self.close(LoopEnd::DriverClosed, normal_closure()),
            Flow::End => LoopFlow::Break(Ok(LoopEnd::DriverClosed)),
        }
    }

    /// After a failed write, a close frame with the reason may still be unread.
    fn read_after_write_error(&mut self, error: WsError) -> LoopFlow {
        if !std::mem::replace(&mut self.has_write_failed, true) && !matches!(error, WsError::ConnectionClosed)
        {
            self.read()?;
        }
        self.fail(error)
    }

    fn fail(&mut self, error: WsError) -> LoopFlow {
        LoopFlow::Break(match (self.closing.take(), error) {
            (Some((end, _)), _) => Ok(end),
            (None, WsError::ConnectionClosed) => Ok(LoopEnd::PeerClosed(None)),
            (None, error) => Err(Box::new(error)),
        })
    }
}

fn normal_closure() -> Option<CloseFrame> {
    Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })
}

/// The library does not retry `Interrupted`. In both cases poll tells when to continue.
fn would_block(error: &WsError) -> bool {
    matches!(error, WsError::Io(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted))
}
