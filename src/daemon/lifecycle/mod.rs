//! The life of the process: reports to the service manager, restart in place, shutdown. It decides; the hub acts.

pub(crate) mod self_update;
pub(crate) mod service_notify;
pub(crate) mod shutdown;

use crate::daemon::connection::link_state::LinkState;
use crate::daemon::lifecycle::self_update::SelfUpdate;
use crate::daemon::lifecycle::service_notify::ServiceNotifier;
use crate::daemon::lifecycle::shutdown::Shutdown;
use crate::sys::fault_injection;
use crate::sys::time;
use std::time::Instant;

/// The last message that was for this agent.
#[derive(Debug)]
pub(crate) struct LastMessage {
    /// When it came.
    pub(crate) at: Instant,
    /// Its topic.
    pub(crate) topic_id: String,
}

/// Where the process stands between its start and its end.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    /// The service manager.
    pub(crate) notifier: ServiceNotifier,
    /// The program file.
    pub(crate) self_update: SelfUpdate,
    /// When this process was ready.
    pub(crate) started: Instant,
    /// The program is started again once no turn is left; new messages are deferred until then.
    pub(crate) restart_pending: bool,
    /// Set once the end has begun.
    pub(crate) shutdown: Option<Shutdown>,
    /// For `status`.
    pub(crate) last_message: Option<LastMessage>,
    /// Why the disk refuses to take the state, if it does.
    pub(crate) disk_problem: Option<String>,
}

impl Lifecycle {
    /// Tells the service manager that the start is complete. `auto_update`: a replaced program file is started by itself.
    pub(crate) fn new(auto_update: bool) -> Lifecycle {
        let started = Instant::now();
        Lifecycle {
            notifier: ServiceNotifier::ready(started),
            self_update: SelfUpdate::new(auto_update, started),
            started,
            restart_pending: false,
            shutdown: None,
            last_message: None,
            disk_problem: None,
        }
    }

    /// Whether the end has begun.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// When to call [`Lifecycle::on_timer`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let shutdown = self.shutdown.as_ref().map(Shutdown::deadline);
        [self.notifier.deadline(), self.self_update.deadline(), shutdown].into_iter().flatten().min()
    }

    /// Called in each round of the hub's loop: a hub that hangs sends no sign of life. Returns whether a pending restart
    /// can begin now. `turns` run or wait; `open_terminals` is asked only when the program file was replaced.
    pub(crate) fn on_timer(
        &mut self,
        now: Instant,
        turns: usize,
        open_terminals: impl FnOnce() -> usize,
    ) -> bool {
        fault_injection::hang_if_requested();
        self.notifier.on_timer(now);
        let may_restart = !self.restart_pending && !self.is_shutting_down();
        if self.self_update.take_due(now) && may_restart {
            self.restart_pending = self.self_update.wants_restart(now, open_terminals);
        }
        self.restart_pending && !self.is_shutting_down() && turns == 0
    }

    /// Sends the one line that `systemctl status` shows.
    pub(crate) fn report(&self, link: &LinkState, agent_id: &str) {
        if self.is_shutting_down() {
            return;
        }
        let line = match (&self.disk_problem, &link.last_error) {
            (Some(why), _) => format!("cannot write the state: {why}"),
            (None, Some(why)) => {
                let left =
                    link.retry_at.map_or(0, |at| at.saturating_duration_since(Instant::now()).as_secs());
                format!("{why}; trying again in {left} s")
            }
            (None, None) if link.up_since.is_some() => {
                format!("connected as {agent_id} since {}", time::rfc3339(time::now_ms()))
            }
            (None, None) => "connecting".to_owned(),
        };
        self.notifier.status(&line);
    }

    /// Tells the service manager that the end has begun, unless the program is started again.
    pub(crate) fn report_end(&self) {
        if !self.is_shutting_down() && !self.restart_pending {
            self.notifier.stopping();
        }
    }
}
