//! Everything on its way out: outbox entries, status frames, files, and calls by HTTP.
//!
//! Outbox files are written and removed here and by the thread that made a reply, and nowhere else. `delivery/` decides
//! what is sent when, `publish.rs` sends it, `statuses.rs` shows progress; the rest are the means.

pub(crate) mod delivery;
pub(crate) mod http_call;
pub(crate) mod http_worker;
pub(crate) mod progress_throttle;
mod publish;
pub(crate) mod requests;
mod statuses;
pub(crate) mod upload_waiters;
pub(crate) mod uploads;

use crate::daemon::context::Context;
use crate::daemon::outbound::delivery::{Delivery, RefusedReply};
use crate::daemon::outbound::http_worker::HttpWorker;
use crate::daemon::outbound::progress_throttle::ProgressThrottle;
use crate::daemon::outbound::upload_waiters::UploadWaiters;
use crate::daemon::outbound::uploads::Uploads;
use crate::store::outbox::{OutboxEntry, ReplyKind};
use std::time::Instant;

/// The part of the daemon that sends.
#[derive(Debug)]
pub(crate) struct Outbound {
    delivery: Delivery,
    http: HttpWorker,
    uploads: Uploads,
    waiters: UploadWaiters,
    throttle: ProgressThrottle,
    /// The outbox was full when last looked at.
    was_full: bool,
}

impl Outbound {
    /// `left`: what an earlier run has not delivered.
    pub(crate) fn new(cx: &Context, http: HttpWorker, uploads: Uploads, left: Vec<OutboxEntry>) -> Outbound {
        let mut delivery = Delivery::default();
        for entry in left {
            match entry.kind {
                ReplyKind::Speech => uploads.speak_on(&cx.shared, entry),
                _ => delivery.add(entry, true),
            }
        }
        let (waiters, throttle) = (UploadWaiters::default(), ProgressThrottle::default());
        Outbound { delivery, http, uploads, waiters, throttle, was_full: false }
    }

    /// Whether no more replies should be made for now.
    pub(crate) fn is_full(&self) -> bool {
        self.delivery.is_full()
    }

    /// Entries that the service has not acknowledged.
    pub(crate) fn undelivered(&self) -> usize {
        self.delivery.len()
    }

    /// When the oldest of them was written, milliseconds since the epoch.
    pub(crate) fn oldest_undelivered(&self) -> Option<i64> {
        self.delivery.oldest()
    }

    /// A reply that the service does not want so far.
    pub(crate) fn refused_reply(&self) -> Option<RefusedReply<'_>> {
        self.delivery.refused_reply()
    }

    /// Whether a patch of this path is still to be made.
    pub(crate) fn will_patch(&self, path: &str) -> bool {
        self.delivery.will_patch(path)
    }

    /// When something is due here.
    pub(crate) fn deadline(&self, is_connected: bool) -> Option<Instant> {
        let delivery = self.delivery.deadline().filter(|_| is_connected);
        [self.throttle.deadline(), delivery, self.waiters.deadline()].into_iter().flatten().min()
    }

    /// Tells those who have waited long enough for a card that it comes later.
    pub(crate) fn on_timer(&mut self, now: Instant) {
        for seq in self.waiters.take_expired(now) {
            self.delivery.not_awaited(seq);
        }
    }

    /// The connection is gone: what was on the wire is unknown.
    pub(crate) fn on_disconnected(&mut self) {
        self.delivery.disconnected();
    }

    /// Whether new turns must wait because the outbox is full. Logged once, when it begins and when it is over.
    pub(crate) fn holds_turns_back(&mut self) -> bool {
        let is_full = self.delivery.is_full();
        if is_full && !self.was_full {
            let (replies, kib) = (self.delivery.len(), self.delivery.bytes() / 1024);
            log::warn!(target: "hub", "the outbox is full: {replies} replies ({kib} KiB) wait for the service; no new turn begins until it takes some");
        } else if self.was_full && !is_full {
            log::info!(target: "hub", "the outbox has room again");
        }
        self.was_full = is_full;
        is_full
    }
}
