//! The hub: the one thread that owns the state of the daemon. It takes events, lets the parts decide, and performs what
//! they want of each other. Nothing else knows all parts: `impl Hub` stands in this folder only.
//!
//! The hub never waits for a network, an agent or a session. It blocks on the disk alone, in these places:
//! - [`Hub::commit`] syncs the journal, once per batch of events;
//! - `outbound/publish.rs` writes, moves and removes files of the outbox, with a sync each, and commits before a file that
//!   is the only witness of a reply goes, or before the notice that a message is deferred is written;
//! - `status` of the command line looks for the programs of the adapters, and the self-update looks at the program file.

mod router;
mod service_requests;

use crate::agent::runner::Control;
use crate::daemon::commands::{self, CommandParts};
use crate::daemon::context::Context;
use crate::daemon::control::handlers::{self, ControlParts};
use crate::daemon::effect::{Effect, Effects, Urgency};
use crate::daemon::event::Event;
use crate::daemon::inbound::{Inbound, IntakeParts, start_turn};
use crate::daemon::lifecycle::shutdown::Shutdown;
use crate::daemon::outbound::Outbound;
use crate::daemon::outbound::http_call::{HttpOutcome, HttpPurpose};
use crate::daemon::permissions::PermissionRequests;
use crate::daemon::scheduler::{Scheduler, deferred};
use crate::daemon::tasks::{Neighbors, Tasks};
use crate::host::Host;
use crate::store::Store;
use crate::sys::signal::Signal;
use crate::wire::outgoing::TypingStatus;
use crossbeam_channel::Receiver;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Changes that need not be durable at once are written together after this.
const COALESCE: Duration = Duration::from_millis(250);
/// Events handled before the batch is committed and dispatched.
const BATCH: usize = 256;
/// A disk that refuses is reported this often, not once per message.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The running daemon: the parts, and what all of them may use.
pub(crate) struct Hub {
    pub(crate) cx: Context,
    events: Receiver<Event>,
    inbound: Inbound,
    scheduler: Scheduler,
    outbound: Outbound,
    tasks: Tasks,
    permissions: PermissionRequests,
    pub(crate) host: Host,
    /// When changes are written that need not be durable at once.
    commit_by: Option<Instant>,
    /// When the log has said last that the disk refuses.
    warned_at: Option<Instant>,
}

impl Hub {
    /// Before the first event.
    pub(crate) fn new(
        cx: Context,
        events: Receiver<Event>,
        scheduler: Scheduler,
        outbound: Outbound,
        host: Host,
    ) -> Hub {
        Hub {
            cx,
            events,
            inbound: Inbound::default(),
            scheduler,
            outbound,
            tasks: Tasks::new(),
            permissions: PermissionRequests::default(),
            host,
            commit_by: None,
            warned_at: None,
        }
    }

    /// Runs until a shutdown is complete. Returns the exit code. Blocks.
    pub(crate) fn run(&mut self) -> u8 {
        loop {
            match self.next_event() {
                Some(event) => {
                    self.handle(event);
                    for _ in 0..BATCH {
                        match self.events.try_recv() {
                            Ok(event) => self.handle(event),
                            Err(_) => break,
                        }
                    }
                }
                None => log::trace!(target: "hub", "timer"),
            }
            let now = Instant::now();
            self.on_timer(now);
            self.commit(now);
            self.dispatch(now);
            let effects = self.outbound.deliver(&mut self.cx, now);
            self.perform(effects);
            if let Some(code) = self.exit_code(now) {
                return code;
            }
        }
    }

    /// What is left after [`Hub::run`].
    pub(crate) fn into_store(mut self) -> Store {
        self.inbound.on_end(&mut self.cx);
        self.cx.store
    }

    fn next_event(&mut self) -> Option<Event> {
        let Some(deadline) = self.deadline() else { return self.events.recv().ok() };
        self.events.recv_deadline(deadline).ok()
    }

    fn deadline(&self) -> Option<Instant> {
        [
            self.cx.requests.deadline(),
            self.cx.lifecycle.deadline(),
            self.inbound.deadline(),
            self.scheduler.deadline(),
            deferred::deadline(&self.cx, Instant::now()),
            self.outbound.deadline(self.cx.is_connected()),
            self.tasks.deadline(),
            self.permissions.deadline(),
            self.cx.store.fold_deadline(),
            self.commit_by,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn handle(&mut self, event: Event) {
        let effects = match event {
            Event::Net(event) => self.on_net(event),
            Event::Session(event) => self.on_session(event),
            Event::HttpOutcome(purpose, outcome) => {
                self.outbound.on_call_ended(&purpose);
                self.on_http_outcome(purpose, outcome)
            }
            Event::Uploading(topic_id, progress) => {
                self.outbound.on_upload_progress(&self.cx, topic_id, &progress)
            }
            Event::FinishedUpload(upload) => {
                self.outbound.on_finished_upload(&self.cx, *upload);
                Effects::none()
            }
            Event::Control(request) => {
                let mut parts = ControlParts {
                    scheduler: &mut self.scheduler,
                    outbound: &mut self.outbound,
                    permissions: &mut self.permissions,
                    tasks: &self.tasks,
                };
                handlers::handle(&mut self.cx, &mut parts, request)
            }
            Event::Signal(Signal::Stop(number)) => self.stop(number),
            Event::Signal(Signal::Reload) => {
                self.cx.net.retry_now();
                Effects::none()
            }
            // after a signal the end of the owner's pipe is no second request
            Event::Stop if self.cx.lifecycle.is_shutting_down() && !self.cx.lifecycle.restart_pending => {
                Effects::none()
            }
            Event::Stop => self.stop(0),
        };
        self.perform(effects);
    }

    /// Performs what a part wants of others: each effect with all that follows from it, in order.
    fn perform(&mut self, effects: Effects) {
        for effect in effects {
            let following = self.perform_one(effect);
            self.perform(following);
        }
    }

    fn perform_one(&mut self, effect: Effect) -> Effects {
        match effect {
            Effect::Intake { step, message } => {
                let mut parts = IntakeParts {
                    scheduler: &mut self.scheduler,
                    outbound: &mut self.outbound,
                    permissions: &mut self.permissions,
                    tasks: &mut self.tasks,
                };
                return self.inbound.intake(&mut self.cx, &mut parts, step, *message);
            }
            Effect::StartTurn(turn) => {
                let mut parts = IntakeParts {
                    scheduler: &mut self.scheduler,
                    outbound: &mut self.outbound,
                    permissions: &mut self.permissions,
                    tasks: &mut self.tasks,
                };
                return start_turn(&mut self.cx, &mut parts, *turn);
            }
            Effect::RunCommand { job, command } => {
                let mut parts = CommandParts {
                    scheduler: &mut self.scheduler,
                    permissions: &mut self.permissions,
                    outbound: &self.outbound,
                };
                return commands::run(&mut self.cx, &mut parts, *job, command);
            }
            Effect::Notice(notice) => return self.outbound.notice(&mut self.cx, *notice),
            Effect::CallHttp { purpose, call } => {
                if !self.outbound.call_http(&self.cx, purpose.clone(), call) {
                    return self.on_unsent_call(purpose);
                }
            }
            Effect::ContinueCatchUp => self.inbound.continue_catch_up(&mut self.cx),
            Effect::Post(entry) => self.outbound.post(&self.cx, *entry),
            Effect::ShowStatus { topic_id, status, urgency } => self.show(&topic_id, status, urgency),
            Effect::OwnTaskChange { path, body } => self.tasks.note_own_change(&path, &body),
            Effect::BeginShutdown => self.begin_shutdown(0),
        }
        Effects::none()
    }

    fn on_unsent_call(&mut self, purpose: HttpPurpose) -> Effects {
        self.on_http_outcome(purpose, HttpOutcome::Unknown("no thread could be started".to_owned()))
    }

    /// Does what is due in each part.
    fn on_timer(&mut self, now: Instant) {
        for purpose in self.cx.requests.expired(now) {
            let effects = self.on_unanswered(purpose);
            self.perform(effects);
        }
        for (topic_id, status) in self.outbound.due_statuses(now) {
            if self.outbound.send_status(&mut self.cx, &topic_id, &status) {
                self.on_status_sent(&topic_id, &status, now);
            }
        }
        let effects = self.inbound.on_timer(now);
        self.perform(effects);
        self.scheduler.end_idle(now);
        let effects = self.permissions.on_timer(&mut self.cx, &mut self.scheduler, now);
        self.perform(effects);
        self.outbound.on_timer(now);
        let effects = deferred::take_due(&mut self.cx);
        self.perform(effects);
        let effects = self.with_tasks(|tasks, cx, neighbors| tasks.on_timer(cx, neighbors, now));
        self.perform(effects);
        let host = &self.host;
        if self.cx.lifecycle.on_timer(now, self.scheduler.count(), || host.open_terminals()) {
            self.begin_shutdown(0);
        }
        if self.commit_by.is_some_and(|at| at <= now) {
            self.cx.commit_now = true;
        }
        if self.cx.store.fold_deadline().is_some_and(|at| at <= now) {
            let result = self.cx.store.fold(now);
            self.note_disk(result, now);
        }
    }

    /// Calls the tasks with the parts that they look at.
    fn with_tasks<T>(&mut self, call: impl FnOnce(&mut Tasks, &mut Context, &mut Neighbors<'_>) -> T) -> T {
        let mut neighbors = Neighbors {
            scheduler: &mut self.scheduler,
            outbound: &self.outbound,
            is_catching_up: self.inbound.is_catching_up(),
        };
        call(&mut self.tasks, &mut self.cx, &mut neighbors)
    }

    /// Makes the batch durable if something in it must be. A disk that refuses does not stop the work. Blocks.
    fn commit(&mut self, now: Instant) {
        if !self.cx.store.has_uncommitted() {
            (self.cx.commit_now, self.commit_by) = (false, None);
            return;
        }
        if !self.cx.commit_now {
            self.commit_by.get_or_insert(now + COALESCE);
            return;
        }
        (self.cx.commit_now, self.commit_by) = (false, None);
        let result = self.cx.store.commit();
        if result.is_err() {
            self.commit_by = Some(now + WARN_EVERY);
        }
        self.note_disk(result, now);
    }

    /// Says in `status` and in the log whether the disk takes the state.
    fn note_disk(&mut self, result: std::io::Result<()>, now: Instant) {
        let Err(error) = result else { return self.set_disk_problem(None) };
        self.set_disk_problem(Some(error.to_string()));
        if self.warned_at.is_none_or(|at| now > at + WARN_EVERY) {
            self.warned_at = Some(now);
            log::error!(target: "store", "cannot write the state: {error}; going on from memory");
        }
    }

    fn set_disk_problem(&mut self, why: Option<String>) {
        if self.cx.lifecycle.disk_problem != why {
            self.cx.lifecycle.disk_problem = why;
            self.cx.report_to_service_manager();
        }
    }

    /// Hands accepted turns to their workers, now that they are on disk.
    fn dispatch(&mut self, now: Instant) {
        let is_held = self.outbound.holds_turns_back() && !self.cx.lifecycle.is_shutting_down();
        self.scheduler.dispatch(&self.cx.shared, &self.cx.store, is_held);
        for (topic_id, status) in self.scheduler.due_wait_statuses(now) {
            self.show(&topic_id, status, Urgency::Immediate);
        }
    }

    /// Shows a status in a topic.
    fn show(&mut self, topic_id: &str, status: TypingStatus, urgency: Urgency) {
        let now = Instant::now();
        if let Some(sent) = self.outbound.show(&mut self.cx, topic_id, status, urgency, now) {
            self.on_status_sent(topic_id, &sent, now);
        }
    }

    /// With a status go the heartbeat of the topic's task and the line of the topic, when they are due.
    fn on_status_sent(&mut self, topic_id: &str, status: &TypingStatus, now: Instant) {
        let (scheduler, outbound) = (&self.scheduler, &mut self.outbound);
        self.tasks.send_heartbeat(&mut self.cx, scheduler, outbound, topic_id, status, now);
        let task_id = self.tasks.of_topic(topic_id);
        self.outbound.publish_progress(&mut self.cx, topic_id, task_id, status, now);
    }

    /// Somebody wants the end; the first such request turns a restart under way into one.
    fn stop(&mut self, signal: i32) -> Effects {
        let was_restarting = std::mem::take(&mut self.cx.lifecycle.restart_pending);
        if !was_restarting || !self.cx.lifecycle.is_shutting_down() {
            self.begin_shutdown(signal);
        }
        Effects::none()
    }

    /// The first request ends the turns and delivers replies; a second one kills. `signal` is 0 when not by signal.
    fn begin_shutdown(&mut self, signal: i32) {
        let now = Instant::now();
        self.cx.shared.draining.store(true, Ordering::Relaxed);
        self.cx.lifecycle.report_end();
        match &mut self.cx.lifecycle.shutdown {
            None => {
                let what = if self.cx.lifecycle.restart_pending { "starting again" } else { "shutting down" };
                match self.scheduler.count() {
                    0 => log::info!(target: "hub", "{what}"),
                    1 => log::info!(target: "hub", "{what}; ending 1 turn"),
                    turns => log::info!(target: "hub", "{what}; ending {turns} turns"),
                }
                self.cx.lifecycle.shutdown = Some(Shutdown::new(signal, now));
                self.scheduler.stop_all(&Control::Shutdown);
                self.cx.shared.pool.close();
            }
            Some(shutdown) => {
                log::warn!(target: "hub", "asked again: ending at once");
                shutdown.hurry(signal, now);
                self.scheduler.stop_all(&Control::Kill);
            }
        }
    }

    /// The exit code, once a shutdown is complete.
    fn exit_code(&mut self, now: Instant) -> Option<u8> {
        let is_sending = self.outbound.undelivered() > 0 && self.cx.is_connected();
        let turns = self.scheduler.count();
        self.cx.lifecycle.shutdown.as_mut()?.exit_code(now, turns, is_sending)
    }
}
