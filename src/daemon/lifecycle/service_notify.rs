//! What is reported to the service manager by sd_notify(3): ready, alive, a status line, stopping. Nothing without one.

use crate::sys::notify::Notify;
use crate::sys::time;
use crate::text;
use std::time::Instant;

/// The way to the service manager, with the timer of its watchdog.
#[derive(Debug)]
pub(crate) struct ServiceNotifier {
    notify: Notify,
    alive_at: Option<Instant>,
}

impl ServiceNotifier {
    /// Tells it that the start is complete.
    pub(crate) fn ready(now: Instant) -> ServiceNotifier {
        let notify = Notify::from_env();
        notify.send("READY=1\nSTATUS=connecting");
        ServiceNotifier { alive_at: notify.watchdog.map(|_| now), notify }
    }

    /// The name of the service manager that started this process, if any.
    pub(crate) fn manager(&self) -> Option<&'static str> {
        self.notify.manager()
    }

    /// When to call [`ServiceNotifier::on_timer`]; none without a watchdog.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.alive_at
    }

    /// Sends the sign of life when it is due: twice per interval of the watchdog.
    pub(crate) fn on_timer(&mut self, now: Instant) {
        if self.alive_at.is_some_and(|at| at <= now) {
            self.notify.send("WATCHDOG=1");
            self.alive_at = self.notify.watchdog.map(|every| time::next_tick(now, every / 2));
        }
    }

    /// Sends a status line.
    pub(crate) fn status(&self, line: &str) {
        self.notify.send(&format!("STATUS={}", text::one_line(line)));
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.notify.send("STOPPING=1\nSTATUS=ending");
    }
}
