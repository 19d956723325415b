//! What the hub does for whoever looks after it: tells the service manager how it goes, notices that the program file
//! was replaced, and starts again when that is wanted and no turn would be cut by it.

pub(crate) mod shutdown;

use crate::daemon::hub::Hub;
use crate::sys::fault_injection;
use crate::sys::notify::Notify;
use crate::sys::own_executable::ExecutableSnapshot;
use crate::sys::time;
use std::time::{Duration, Instant};

/// How often the program file is looked at, and only where it shall be started by itself.
const LOOK: Duration = Duration::from_secs(60);

/// So long a new program file waits for terminals to be closed: somebody may be at work in them; but one that was
/// forgotten would keep the old program for half a day.
const TERMINALS: Duration = Duration::from_secs(60 * 60);

/// The hub's part of it.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) notify: Notify,
    pub(crate) image: ExecutableSnapshot,
    pub(crate) started: Instant,
    /// The program is to be started again once no turn is left.
    pub(crate) again: bool,
    /// The last message that was for us: when, and its topic.
    pub(crate) last: Option<(Instant, String)>,
    /// Why the disk refuses.
    pub(crate) disk: Option<String>,
    /// Since when a new program file waits for terminals.
    due: Option<Instant>,
    alive_at: Option<Instant>,
    look_at: Option<Instant>,
}

impl Lifecycle {
    /// Everything is ready but for the hub.
    pub(crate) fn new(auto: bool) -> Lifecycle {
        let (notify, image, started) = (Notify::from_env(), ExecutableSnapshot::capture(), Instant::now());
        notify.send("READY=1\nSTATUS=connecting");
        Lifecycle {
            alive_at: notify.watchdog.map(|_| started),
            notify,
            image,
            started,
            again: false,
            last: None,
            disk: None,
            due: None,
            look_at: auto.then(|| started + LOOK),
        }
    }

    /// Somebody asks: looks at the program file in the next round, if it shall be looked at.
    pub(crate) fn look_soon(&mut self) {
        self.look_at = self.look_at.map(|_| self.started);
    }

    /// When to look after things.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.alive_at.into_iter().chain(self.look_at).min()
    }
}

impl Hub {
    /// Called in each round of the hub's loop: a hub that hangs gives no sign of life.
    pub(crate) fn look_after(&mut self, now: Instant) {
        fault_injection::hang_if_requested();
        let care = &mut self.care;
        if care.alive_at.is_some_and(|at| at <= now) {
            care.notify.send("WATCHDOG=1");
            care.alive_at = care.notify.watchdog.map(|every| time::next_tick(now, every / 2));
        }
        if care.look_at.is_some_and(|at| at <= now) {
            care.look_at = Some(time::next_tick(now, LOOK));
            if !care.again && self.drain.is_none() && care.image.is_replaced() {
                // messages are kept for later once `again` is set: the wait for terminals comes before it
                let (open, first) = (self.host.open_terminals(), care.due.is_none());
                let since = *care.due.get_or_insert(now);
                care.again = open == 0 || now >= since + TERMINALS;
                if care.again {
                    log::info!(target: "hub", "the program file was replaced; starting it when no turn is running");
                } else if first {
                    log::info!(
                        target: "hub",
                        "the program file was replaced; starting it when the open terminals ({open}) are closed, or in an hour"
                    );
                }
            }
        }
        if self.care.again && self.drain.is_none() && self.sessions.count() == 0 {
            self.begin_drain(0);
        }
    }

    /// Somebody wants the end; the first such wish turns a restart under way into one.
    pub(crate) fn stop_by(&mut self, signal: i32) {
        let restarting = std::mem::take(&mut self.care.again);
        if !restarting || self.drain.is_none() {
            self.begin_drain(signal);
        }
    }

    /// The one line that `systemctl status` shows.
    pub(crate) fn tell(&self) {
        if self.drain.is_some() {
            return;
        }
        let link = &self.link;
        let line = match (&self.care.disk, &link.last_error) {
            (Some(why), _) => format!("cannot write the state: {why}"),
            (None, Some(why)) => {
                let left =
                    link.retry_at.map_or(0, |at| at.saturating_duration_since(Instant::now()).as_secs());
                format!("{why}; trying again in {left} s")
            }
            (None, None) if link.up_since.is_some() => {
                format!("connected as {} since {}", self.me.agent_id, time::rfc3339(time::now_ms()))
            }
            (None, None) => "connecting".to_owned(),
        };
        self.care.notify.send(&format!("STATUS={}", crate::text::one_line(&line)));
    }

    /// The end has begun.
    pub(crate) fn tell_end(&self) {
        if self.drain.is_none() && !self.care.again {
            self.care.notify.send("STOPPING=1\nSTATUS=ending");
        }
    }

    /// The disk refuses, or takes what it is given again.
    pub(crate) fn disk_refuses(&mut self, why: Option<String>) {
        if self.care.disk != why {
            self.care.disk = why;
            self.tell();
        }
    }
}
