//! One thread, one WebSocket: blocks in poll(2) on the socket and on outgoing messages, without polling timers.
//!
//! Used by the daemon's network thread (client side) and by the local service (server side). Knows nothing of WTT.
//! The socket must be non-blocking. Facts about tungstenite that shape this file: `WouldBlock` from `write` means
//! *queued*, so only a flush follows; `flush` being Ok means that all is in the kernel; messages that are decoded
//! but not yet returned are invisible to poll, so reading goes on until `WouldBlock` or the burst limit.

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

/// Messages read per round: a flood must not keep outgoing frames waiting.
const READ_BURST: usize = 64;
/// Bytes moved from the queue per round: a full queue must not keep incoming frames waiting.
const WRITE_BURST_BYTES: usize = 256 * 1024;
/// How long the peer may take to answer a close frame before the socket is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Largest message taken from a peer; a longer one ends the connection before it is allocated.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Largest amount that waits inside the library; only one frame larger than this can ever reach it.
const MAX_WRITE_BUFFER_BYTES: usize = 8 << 20;
/// Read buffer: the default of 128 KiB is zero-filled for every read.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// The limits that both sides use.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
}

/// Where other threads put frames; cloning is cheap, sending never blocks. A close frame closes the pump once
/// everything before it is on the wire; dropping all handles closes it as well.
// Field order matters: the sender goes first, so that the hang-up of the waker finds a channel without senders.
#[derive(Clone, Debug)]
pub struct WebSocketSender {
    tx: Sender<Message>,
    waker: Waker,
    bytes: Arc<AtomicUsize>,
    echo: Arc<Mutex<Option<Echo>>>,
}

/// The last pong: the number in the ping that it answers, and when it came.
pub type Echo = (usize, Instant);

/// The pump's side of [`Outgoing`].
#[derive(Debug)]
pub struct SendQueue {
    /// Frames to send.
    pub rx: Receiver<Message>,
    /// Wakes the pump.
    pub wake: WakeReceiver,
    bytes: Arc<AtomicUsize>,
    echo: Arc<Mutex<Option<Echo>>>,
}

/// Makes the pair.
pub fn send_queue() -> io::Result<(WebSocketSender, SendQueue)> {
    let (waker, wake) = crate::sys::poll::waker_pair()?;
    let (tx, rx) = crossbeam_channel::unbounded();
    let bytes = Arc::new(AtomicUsize::new(0));
    let echo = Arc::new(Mutex::new(None));
    Ok((
        WebSocketSender { tx, waker, bytes: bytes.clone(), echo: echo.clone() },
        SendQueue { rx, wake, bytes, echo },
    ))
}

impl WebSocketSender {
    /// Queues a frame and wakes the pump. False when the pump is gone.
    pub fn send(&self, message: Message) -> bool {
        let bytes = message.len();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let ok = self.tx.send(message).is_ok();
        if !ok {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        self.waker.wake();
        ok
    }

    /// Queues a ping behind everything that was sent; its pong shows when the peer has all of that.
    pub fn probe(&self, number: usize) {
        self.send(Message::Ping(number.to_be_bytes().to_vec().into()));
    }

    /// The last pong that answered a [`Outgoing::probe`].
    pub fn echo(&self) -> Option<Echo> {
        *self.echo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that were sent and have not reached the kernel yet.
    pub fn backlog_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Makes the pump call [`Driver::on_wake`].
    pub fn wake(&self) {
        self.waker.wake();
    }
}

impl SendQueue {
    /// Throws away what is queued, e.g. after a lost connection.
    pub fn clear(&mut self) {
        while let Ok(message) = self.rx.try_recv() {
            self.bytes.fetch_sub(message.len(), Ordering::Relaxed);
        }
    }
}

/// What the owner of a pump decides.
pub trait Driver {
    /// A text, binary or close frame arrived (pings are answered by the library).
    fn on_message(&mut self, message: Message) -> Flow;
    /// When `on_deadline` must be called next, if at all. Not asked while closing.
    fn deadline(&self) -> Option<Instant>;
    /// The deadline has passed: may hand back a frame to send (a ping), or end. Must move or clear the deadline.
    fn on_deadline(&mut self, now: Instant) -> Flow;
    /// Something came from the peer, be it only a part of a frame or a control frame: it lives.
    fn on_traffic(&mut self, _now: Instant) {}
    /// A handle was used ([`Outgoing::wake`] or a queued frame): a chance to look at flags set by other threads.
    fn on_wake(&mut self) -> Flow {
        Flow::Continue
    }
}

/// What to do after a callback.
#[derive(Debug)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Send this frame before anything that is queued. A close frame closes.
    Send(Message),
    /// Close politely (at most two seconds), then end.
    Close,
    /// Drop the connection now.
    End,
}

/// Why a pump ended without an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopEnd {
    /// The peer closed (code and reason, where given).
    Peer(Option<(u16, String)>),
    /// The driver said so, or a close frame was queued.
    Driver,
    /// All [`Outgoing`] handles are gone.
    Dropped,
}

/// Runs until the connection ends. Frames left in the queue stay there.
pub fn run(
    ws: &mut WebSocket<Stream>,
    queue: &mut SendQueue,
    driver: &mut dyn Driver,
) -> Result<LoopEnd, Box<WsError>> {
    let mut pump = Pump {
        ws,
        queue,
        driver,
        blocked: false,
        more: false,
        heard: false,
        taken: 0,
        ending: None,
        broken: false,
        mute: false,
    };
    loop {
        if let ControlFlow::Break(end) = pump.round() {
            pump.queue.bytes.fetch_sub(pump.taken, Ordering::Relaxed);
            return end;
        }
    }
}

type Step = ControlFlow<Result<LoopEnd, Box<WsError>>>;

struct Pump<'a> {
    ws: &'a mut WebSocket<Stream>,
    queue: &'a mut SendQueue,
    driver: &'a mut dyn Driver,
    /// Bytes wait inside the library because the socket is full: poll for output, take nothing from the queue.
    blocked: bool,
    /// There is work that poll cannot see: do not sleep.
    more: bool,
    /// The peer has been heard since the driver was told last.
    heard: bool,
    /// Bytes taken from the queue since the last complete flush.
    taken: usize,
    /// A close handshake is under way: its reason, and when patience ends.
    ending: Option<(LoopEnd, Instant)>,
    /// Writing has failed: only what the peer said before is still of interest.
    broken: bool,
    /// All wakers are gone; their end reports a hang-up for ever and must not be polled.
    mute: bool,
}

impl Pump<'_> {
    fn round(&mut self) -> Step {
        self.more = false;
        self.read()?;
        self.timers()?;
        self.write()?;
        self.flush()?;
        self.wait()
    }

    fn read(&mut self) -> Step {
        for _ in 0..READ_BURST {
            match self.ws.read() {
                Ok(Message::Pong(payload)) => {
                    self.heard = true;
                    if let Ok(number) = payload.as_ref().try_into().map(usize::from_be_bytes) {
                        let mut echo = self.queue.echo.lock().unwrap_or_else(PoisonError::into_inner);
                        *echo = Some((number, Instant::now()));
                    }
                }
                Ok(Message::Ping(_) | Message::Frame(_)) => self.heard = true,
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    self.heard = true;
                    let flow = self.driver.on_message(message);
                    self.apply(flow)?;
                }
                Ok(Message::Close(frame)) => {
                    if self.ending.is_none() {
                        let why = frame.as_ref().map(|f| (u16::from(f.code), f.reason.to_string()));
                        self.ending = Some((LoopEnd::Peer(why), Instant::now() + CLOSE_LIMIT));
                    }
                    let flow = self.driver.on_message(Message::Close(frame));
                    self.apply(flow)?;
                }
                Err(e) if would_block(&e) => return Step::Continue(()),
                Err(e) => return self.fail(e),
            }
        }
        self.more = true;
        Step::Continue(())
    }

    fn timers(&mut self) -> Step {
        let now = Instant::now();
        if std::mem::take(&mut self.heard) {
            self.driver.on_traffic(now);
        }
        match &self.ending {
            Some((end, until)) if *until <= now => Step::Break(Ok(end.clone())),
            Some(_) => Step::Continue(()),
            None if self.driver.deadline().is_some_and(|at| at <= now) => {
                let flow = self.driver.on_deadline(now);
                self.apply(flow)
            }
            None => Step::Continue(()),
        }
    }

    /// Moves queued frames to the socket, only while the earlier ones are out: this bounds the library's buffer.
    fn write(&mut self) -> Step {
        let mut bytes = 0;
        while !self.blocked && self.ending.is_none() {
            if bytes > WRITE_BURST_BYTES {
                self.more = true;
                break;
            }
            match self.queue.rx.try_recv() {
                Ok(message) => {
                    bytes += message.len();
                    self.taken += message.len();
                    self.put(message)?;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.close(LoopEnd::Dropped, normal())?,
            }
        }
        Step::Continue(())
    }

    fn put(&mut self, message: Message) -> Step {
        if let Message::Close(frame) = message {
            return self.close(LoopEnd::Driver, frame);
        }
        if self.broken || self.ending.is_some() {
            return Step::Continue(());
        }
        match self.ws.write(message) {
            Ok(()) => Step::Continue(()),
            Err(e) if would_block(&e) => {
                self.blocked = true;
                Step::Continue(())
            }
            Err(WsError::WriteBufferFull(message)) => {
                log::error!(
                    "a frame of {} bytes is larger than the connection can take; dropped",
                    message.len()
                );
                Step::Continue(())
            }
            Err(e) => self.last_words(e),
        }
    }

    fn close(&mut self, end: LoopEnd, frame: Option<CloseFrame>) -> Step {
        if self.ending.is_some() {
            return Step::Continue(());
        }
        self.ending = Some((end, Instant::now() + CLOSE_LIMIT));
        match self.ws.close(frame) {
            Ok(()) => Step::Continue(()),
            Err(e) if would_block(&e) => {
                self.blocked = true;
                Step::Continue(())
            }
            Err(e) => self.last_words(e),
        }
    }

    /// Also drives the pongs and close replies that the library has queued.
    fn flush(&mut self) -> Step {
        let was_blocked = self.blocked;
        self.blocked = match self.ws.flush() {
            Ok(()) => {
                self.queue.bytes.fetch_sub(std::mem::take(&mut self.taken), Ordering::Relaxed);
                false
            }
            Err(e) if would_block(&e) => true,
            Err(e) => return self.last_words(e),
        };
        // The queue was left alone while the socket was full, and its wake-up has been consumed: look again
        // before sleeping.
        self.more |= was_blocked && !self.blocked;
        Step::Continue(())
    }

    fn wait(&mut self) -> Step {
        let until = match &self.ending {
            Some((_, until)) => Some(*until),
            None => self.driver.deadline(),
        };
        let timeout = if self.more { Some(Duration::ZERO) } else { until.map(time_until) };
        let output = self.blocked || self.ws.get_ref().wants_write();
        let wake = if self.mute { None } else { Some(&mut self.queue.wake) };
        let ready = match poll::wait_for_socket(Some((self.ws.get_ref().socket(), output)), wake, timeout) {
            Ok(ready) => ready,
            Err(e) => return self.fail(WsError::Io(e)),
        };
        self.heard |= ready.is_readable;
        self.mute |= ready.is_waker_closed;
        if !ready.is_woken {
            return Step::Continue(());
        }
        let flow = self.driver.on_wake();
        self.apply(flow)
    }

    fn apply(&mut self, flow: Flow) -> Step {
        match flow {
            Flow::Continue => Step::Continue(()),
            Flow::Send(message) => self.put(message),
            Flow::Close => self.close(LoopEnd::Driver, normal()),
            Flow::End => Step::Break(Ok(LoopEnd::Driver)),
        }
    }

    /// Writing failed; a close frame that says why may still lie unread.
    fn last_words(&mut self, error: WsError) -> Step {
        if !std::mem::replace(&mut self.broken, true) && !matches!(error, WsError::ConnectionClosed) {
            self.read()?;
        }
        self.fail(error)
    }

    fn fail(&mut self, error: WsError) -> Step {
        Step::Break(match (self.ending.take(), error) {
            (Some((end, _)), _) => Ok(end),
            (None, WsError::ConnectionClosed) => Ok(LoopEnd::Peer(None)),
            (None, error) => Err(Box::new(error)),
        })
    }
}

fn normal() -> Option<CloseFrame> {
    Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })
}

/// The library does not retry `Interrupted`; poll tells when to go on in both cases.
fn would_block(error: &WsError) -> bool {
    matches!(error, WsError::Io(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted))
}
