//! Starts a replaced program file by itself, once nobody is at work in a terminal.

use crate::sys::own_executable::ExecutableSnapshot;
use crate::sys::time;
use std::time::{Duration, Instant};

/// How often the program file is looked at, and only where it is started by itself.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// A new program file waits this long for terminals to be closed: somebody may be at work in them; but one that was
/// forgotten would keep the old program for half a day.
const TERMINALS_MAX: Duration = Duration::from_secs(60 * 60);

/// The program file and when it is looked at next.
#[derive(Debug)]
pub(crate) struct SelfUpdate {
    image: ExecutableSnapshot,
    started: Instant,
    /// Since when a new program file waits for terminals.
    waiting_since: Option<Instant>,
    /// None: a new program file is not started by itself.
    check_at: Option<Instant>,
}

impl SelfUpdate {
    /// `is_automatic`: a replaced program file is started by itself.
    pub(crate) fn new(is_automatic: bool, now: Instant) -> SelfUpdate {
        SelfUpdate {
            image: ExecutableSnapshot::capture(),
            started: now,
            waiting_since: None,
            check_at: is_automatic.then(|| now + CHECK_EVERY),
        }
    }

    /// The program file that this process was started from.
    pub(crate) fn image(&self) -> &ExecutableSnapshot {
        &self.image
    }

    /// When to look at the program file; none where it is not started by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.check_at
    }

    /// Looks at the program file in the next round instead of after the usual time, if it is looked at at all.
    pub(crate) fn check_soon(&mut self) {
        self.check_at = self.check_at.map(|_| self.started);
    }

    /// Whether the time to look has come; sets the next one.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.check_at.is_some_and(|at| at <= now);
        if is_due {
            self.check_at = Some(time::next_tick(now, CHECK_EVERY));
        }
        is_due
    }

    /// Whether the program file was replaced and no open terminal delays its start (any more).
    pub(crate) fn wants_restart(&mut self, now: Instant, open_terminals: impl FnOnce() -> usize) -> bool {
        if !self.image.is_replaced() {
            return false;
        }
        // messages are deferred once a restart is pending: the wait for terminals comes before it
        let (open, is_first) = (open_terminals(), self.waiting_since.is_none());
        let since = *self.waiting_since.get_or_insert(now);
        let wants = open == 0 || now >= since + TERMINALS_MAX;
        if wants {
            log::info!(target: "hub", "the program file was replaced; starting it when no turn is running");
        } else if is_first {
            log::info!(
                target: "hub",
                "the program file was replaced; starting it when the open terminals ({open}) are closed, or in an hour"
            );
        }
        wants
    }
}
