//! Channels between threads: those of crossbeam, each message in a box.
//!
//! The library's code is generic, and its channels of twenty kinds of messages were a fortieth of the program. Here it is
//! in the program once: all channels carry boxes, and these types say what is in them. A message costs one
//! allocation more, and a full mailbox one pointer for each place.

use crossbeam_channel as inner;
use std::any::Any;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

pub use crossbeam_channel::{RecvError, RecvTimeoutError, Select, TryRecvError, select, select_biased};

/// What travels.
pub type Parcel = Box<dyn Any + Send>;

/// Nobody receives any more, or there is no room: the message is dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct NotSent;

/// The end that sends.
pub struct Sender<T> {
    raw: inner::Sender<Parcel>,
    of: PhantomData<fn(T)>,
}

/// The end that receives.
pub struct Receiver<T> {
    raw: inner::Receiver<Parcel>,
    of: PhantomData<fn() -> T>,
}

/// A channel for at most so many messages.
pub fn bounded<T: Send + 'static>(places: usize) -> (Sender<T>, Receiver<T>) {
    ends(inner::bounded(places))
}

/// A channel that takes every message.
pub fn unbounded<T: Send + 'static>() -> (Sender<T>, Receiver<T>) {
    ends(inner::unbounded())
}

/// A channel without messages.
pub fn never<T>() -> Receiver<T> {
    Receiver { raw: inner::never(), of: PhantomData }
}

/// Waits so long.
pub fn pause(time: Duration) {
    let _ = inner::never::<Parcel>().recv_timeout(time);
}

fn ends<T>((to, from): (inner::Sender<Parcel>, inner::Receiver<Parcel>)) -> (Sender<T>, Receiver<T>) {
    (Sender { raw: to, of: PhantomData }, Receiver { raw: from, of: PhantomData })
}

impl<T: Send + 'static> Sender<T> {
    /// Sends, and waits for room.
    pub fn send(&self, message: T) -> Result<(), NotSent> {
        send(&self.raw, Box::new(message))
    }

    /// Sends where there is room at once.
    pub fn try_send(&self, message: T) -> Result<(), NotSent> {
        try_send(&self.raw, Box::new(message))
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.raw.len()
    }
}

fn send(to: &inner::Sender<Parcel>, parcel: Parcel) -> Result<(), NotSent> {
    to.send(parcel).map_err(|_| NotSent)
}

fn try_send(to: &inner::Sender<Parcel>, parcel: Parcel) -> Result<(), NotSent> {
    to.try_send(parcel).map_err(|_| NotSent)
}

impl<T: 'static> Receiver<T> {
    /// Waits for a message.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.open(self.raw.recv())
    }

    /// Waits so long.
    pub fn recv_timeout(&self, time: Duration) -> Result<T, RecvTimeoutError> {
        unpack(self.raw.recv_timeout(time)?).ok_or(RecvTimeoutError::Disconnected)
    }

    /// Waits until then.
    pub fn recv_deadline(&self, until: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_timeout(until.saturating_duration_since(Instant::now()))
    }

    /// Takes what is there.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        unpack(self.raw.try_recv()?).ok_or(TryRecvError::Disconnected)
    }

    /// All that comes, until nobody can send any more.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// All that is there.
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    /// For `select!`: what it receives, [`Receiver::open`] unpacks.
    pub fn raw(&self) -> &inner::Receiver<Parcel> {
        &self.raw
    }

    /// Unpacks what came of [`Receiver::raw`].
    pub fn open(&self, received: Result<Parcel, RecvError>) -> Result<T, RecvError> {
        unpack(received?).ok_or(RecvError)
    }
}

/// Always there: only a [`Sender`] of the same type has the other end.
fn unpack<T: 'static>(parcel: Parcel) -> Option<T> {
    parcel.downcast().ok().map(|message| *message)
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { raw: self.raw.clone(), of: PhantomData }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver { raw: self.raw.clone(), of: PhantomData }
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receiver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_and_the_end_is_seen() {
        let (to, from) = unbounded();
        for number in 0..3_u32 {
            to.send(number).unwrap();
        }
        assert_eq!(to.waiting(), 3);
        assert_eq!(from.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(from.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(from.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        drop(to);
        assert_eq!(from.recv(), Err(RecvError));
        assert_eq!(from.recv_deadline(Instant::now()), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_full_channel_takes_nothing_and_one_without_a_receiver_neither() {
        let (to, from) = bounded(1);
        to.try_send("a".to_owned()).unwrap();
        assert_eq!(to.try_send("b".to_owned()), Err(NotSent));
        assert_eq!(from.recv().as_deref(), Ok("a"));
        drop(from);
        assert_eq!(to.send("c".to_owned()), Err(NotSent));
    }

    #[test]
    fn several_are_waited_for_at_once() {
        let ((words, said), silent) = (unbounded(), never::<u32>());
        words.send("now").unwrap();
        let heard = select! {
            recv(said.raw()) -> word => said.open(word),
            recv(silent.raw()) -> _ => Err(RecvError),
        };
        assert_eq!(heard, Ok("now"));
    }
}
