//! The lock that lets one turn at a time switch models and run, and its guard.

use crate::agent::runner::{Control, HEARTBEAT_INTERVAL};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a waiting turn tries the lock. An agent takes seconds, so this delay is not noticed.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Lets one turn at a time switch and run, because all share what the switcher changes.
#[derive(Debug, Default)]
pub struct SwitcherLock(AtomicBool);

/// The right to run; given back when dropped.
#[derive(Debug)]
pub(super) struct SwitcherGuard<'g>(&'g SwitcherLock);

impl Drop for SwitcherGuard<'_> {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

impl SwitcherLock {
    /// Waits until the lock is free, and calls `waiting` when it has to wait and from time to time. `None`: stopped meanwhile.
    pub(super) fn acquire(
        &self,
        control: &Receiver<Control>,
        waiting: &mut dyn FnMut(),
    ) -> Option<SwitcherGuard<'_>> {
        let mut shown: Option<Instant> = None;
        while self.0.swap(true, Ordering::Acquire) {
            if shown.is_none_or(|at| at.elapsed() >= HEARTBEAT_INTERVAL) {
                shown = Some(Instant::now());
                waiting();
            }
            // a hub that is gone stops everything as well
            let Err(RecvTimeoutError::Timeout) = control.recv_timeout(LOCK_POLL) else { return None };
        }
        Some(SwitcherGuard(self))
    }
}
