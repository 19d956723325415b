//! A shutdown in progress: how long agents may take to end and replies to be acknowledged. Pure but for [`await_kept`].

use crate::agent::pool::Pool;
use std::time::{Duration, Instant};

/// Agents get this long to end; the runner's own termination sequence is shorter.
const AGENTS: Duration = Duration::from_secs(12);
/// Replies get this long to be acknowledged; what remains is on disk.
const REPLIES: Duration = Duration::from_secs(3);
/// After a second signal.
const HURRY: Duration = Duration::from_secs(1);
/// Kept agents are ended while the turns are; this is for those that take every step of the termination sequence.
const KEPT: Duration = Duration::from_secs(5);

/// A shutdown in progress.
#[derive(Debug)]
pub(crate) struct Shutdown {
    /// The number of the signal that asked for it; 0 for none.
    signal: i32,
    agents_until: Instant,
    /// Set when the last turn has ended.
    replies_until: Option<Instant>,
    is_hurried: bool,
}

impl Shutdown {
    /// The first request: turns are stopped, replies are delivered.
    pub(crate) fn new(signal: i32, now: Instant) -> Shutdown {
        Shutdown { signal, agents_until: now + AGENTS, replies_until: None, is_hurried: false }
    }

    /// A second request: agents are killed, replies stay on disk.
    pub(crate) fn hurry(&mut self, signal: i32, now: Instant) {
        (self.signal, self.is_hurried, self.agents_until) = (signal, true, now + HURRY);
        self.replies_until = self.replies_until.map(|_| now);
    }

    /// When to call [`Shutdown::exit_code`] again.
    pub(crate) fn deadline(&self) -> Instant {
        self.replies_until.unwrap_or(self.agents_until)
    }

    /// The exit code, once there is nothing left to wait for. `is_sending`: replies can be delivered and are not yet.
    pub(crate) fn exit_code(&mut self, now: Instant, turns: usize, is_sending: bool) -> Option<u8> {
        let is_working = turns > 0;
        if is_working && now < self.agents_until {
            return None;
        }
        let until = *self.replies_until.get_or_insert(if self.is_hurried { now } else { now + REPLIES });
        if is_sending && now < until {
            return None;
        }
        if is_working {
            log::error!(target: "hub", "some agents did not end in time; the service manager ends them");
        }
        if self.is_hurried { u8::try_from(128 + self.signal).ok() } else { Some(0) }
    }
}

/// Blocks until the agents that were kept between turns are gone, for at most five seconds. Usually they are gone.
pub(crate) fn await_kept(pool: &Pool) {
    if !pool.wait(KEPT) {
        log::error!(target: "hub", "some kept agents did not end in time; the service manager ends them");
    }
}
