//! Shutting down in order: no new work, agents ended, replies on disk, what can be sent is sent, then close.

use crate::agent::pool::Pool;
use crate::agent::runner::Control;
use crate::daemon::hub::Hub;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Agents get this long to end; the runner's own ladder is shorter.
const AGENTS: Duration = Duration::from_secs(12);
/// Replies get this long to be acknowledged; what remains is on disk.
const REPLIES: Duration = Duration::from_secs(3);
/// After a second signal.
const HURRY: Duration = Duration::from_secs(1);

/// Kept agents are ended while the turns are; this is for those that take every step of the ladder.
const KEPT: Duration = Duration::from_secs(5);

/// A shutdown in progress.
#[derive(Debug)]
pub(crate) struct Shutdown {
    signal: i32,
    agents_until: Instant,
    /// Set when the last turn has ended.
    replies_until: Option<Instant>,
    hurried: bool,
}

impl Shutdown {
    /// When to look again.
    pub(crate) fn deadline(&self) -> Instant {
        self.replies_until.unwrap_or(self.agents_until)
    }
}

/// Until the agents that were kept between turns are gone. Usually they have been for long.
pub(crate) fn await_kept(pool: &Pool) {
    if !pool.wait(KEPT) {
        log::error!(target: "hub", "some kept agents did not end in time; the service manager ends them");
    }
}

impl Hub {
    /// The first request drains; a second one kills. `signal` is 0 when not by signal.
    pub(crate) fn begin_drain(&mut self, signal: i32) {
        let now = Instant::now();
        self.shared.draining.store(true, Ordering::Relaxed);
        self.tell_end();
        match &mut self.drain {
            None => {
                let what = if self.care.again { "starting again" } else { "shutting down" };
                match self.sessions.count() {
                    0 => log::info!(target: "hub", "{what}"),
                    1 => log::info!(target: "hub", "{what}; ending 1 turn"),
                    turns => log::info!(target: "hub", "{what}; ending {turns} turns"),
                }
                self.drain = Some(Shutdown {
                    signal,
                    agents_until: now + AGENTS,
                    replies_until: None,
                    hurried: false,
                });
                self.sessions.stop_all(&Control::Shutdown);
                self.shared.pool.close();
            }
            Some(drain) => {
                log::warn!(target: "hub", "asked again: ending at once");
                (drain.signal, drain.hurried, drain.agents_until) = (signal, true, now + HURRY);
                drain.replies_until = drain.replies_until.map(|_| now);
                self.sessions.stop_all(&Control::Kill);
            }
        }
    }

    /// The exit code, once there is nothing left to wait for.
    pub(crate) fn drained(&mut self, now: Instant) -> Option<u8> {
        let working = self.sessions.count() > 0;
        let sending = self.delivery.len() > 0 && self.link.up_since.is_some();
        let drain = self.drain.as_mut()?;
        if working && now < drain.agents_until {
            return None;
        }
        let until = *drain.replies_until.get_or_insert(if drain.hurried { now } else { now + REPLIES });
        if sending && now < until {
            return None;
        }
        if working {
            log::error!(target: "hub", "some agents did not end in time; the service manager ends them");
        }
        if drain.hurried { u8::try_from(128 + drain.signal).ok() } else { Some(0) }
    }
}
