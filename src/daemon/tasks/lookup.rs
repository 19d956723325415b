//! Asking the service about tasks, by HTTP on the courier's thread, and what its answers lead to; the sweep.

use super::PendingState;
use crate::daemon::hub::Hub;
use crate::daemon::outbound::http_call::{HttpCall, HttpOutcome, HttpPurpose, TaskQuery};
use crate::sys::time;
use crate::wire::task::{self, Cause, Status, Step, Task};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A task that was left so long ago is not taken up by itself any more (see TASKS in wtt-connect-protocol(7)).
const ORPHAN_AGE: Duration = Duration::from_secs(6 * 3600);
/// Looks in a row that failed before a task is left to the next sweep: a minute.
const LOOKS: u32 = 12;
/// How often a task that waits for the catch-up looks whether that is over; ten seconds at most.
const MOMENT: Duration = Duration::from_millis(100);
/// As many as a list is asked for: it may be longer.
const LIST: usize = 100;
/// The word of a rejection and the change that it makes, by the service's clock. In milliseconds.
const SAME_TIME: i64 = 5_000;

impl Hub {
    /// Asks, and notes when that is not possible.
    pub(crate) fn ask_about(&mut self, task_id: &str, about: TaskQuery) {
        let path = task::path(task_id);
        let me = &self.me.agent_id;
        let call = match about {
            TaskQuery::Now | TaskQuery::Still => HttpCall::Get { path },
            TaskQuery::List => HttpCall::Get { path: task::DOING.to_owned() },
            TaskQuery::Run => HttpCall::Post { path: format!("{path}/run"), body: task::run_body(me) },
            TaskQuery::Doing => HttpCall::Patch { path, body: task::doing_body(me) },
        };
        if let Some(pending) = self.tasks.pending.get_mut(task_id) {
            pending.at = PendingState::Asking;
        }
        let tag = HttpPurpose::Task { task_id: task_id.to_owned(), about };
        if !self.courier.carry(&self.shared, tag, call) {
            self.ask_again(task_id, "no thread could be started");
        }
    }

    /// An answer, or none.
    pub(crate) fn on_task_answer(&mut self, task_id: &str, about: TaskQuery, posted: HttpOutcome) {
        match (about, posted) {
            (TaskQuery::List, HttpOutcome::Taken(list)) => self.sweep(&list),
            (TaskQuery::List, HttpOutcome::Refused(_, why)) => {
                log::debug!(target: "hub", "no list of tasks: {why}; not asked again before the next connection");
                self.tasks.sweep_at = None;
            }
            (TaskQuery::Still, HttpOutcome::Taken(row)) => {
                if let Some(status) = Task::decode(&row).map(|task| task.status).filter(|s| s.is_over()) {
                    self.task_is_over(task_id, status);
                }
            }
            (TaskQuery::List | TaskQuery::Still, _) => {}
            (_, HttpOutcome::Unknown(why)) => self.ask_again(task_id, &why),
            (TaskQuery::Now, HttpOutcome::Taken(row)) => match Task::decode(&row) {
                Some(task) => self.on_task(task),
                None => self.let_go(task_id, "the service's answer is no task"),
            },
            // what it is now, with the time of its latest change
            (TaskQuery::Run | TaskQuery::Doing, HttpOutcome::Taken(row)) => match Task::decode(&row) {
                Some(task) if task.status == Status::Doing && task.topic_id.is_some() => self.hold_task(task),
                _ => self.claimed(task_id),
            },
            (TaskQuery::Run, HttpOutcome::Refused(404 | 405, _)) => self.ask_about(task_id, TaskQuery::Doing),
            (TaskQuery::Now | TaskQuery::Run | TaskQuery::Doing, HttpOutcome::Refused(_, why)) => {
                log::warn!(target: "hub", "task {task_id} cannot be taken up: {why}");
                self.let_go(task_id, &why);
            }
        }
    }

    /// A rejection that is read late: this connector has brought a newer result to review since.
    fn is_old_rejection(&self, task: &Task, said: Option<i64>) -> bool {
        let own = self.tasks.own.get(&task::path(&task.id));
        let is_ours = own.is_some_and(|(made, _)| *made == Status::Review && task.status == Status::Review);
        let is_later = task.updated_at.zip(said).is_some_and(|(at, said)| at > said + SAME_TIME);
        is_ours && is_later
    }

    fn on_task(&mut self, task: Task) {
        let Some(pending) = self.tasks.pending.get_mut(&task.id) else { return };
        let mut step = task::decide(pending.cause, &task, &self.me.agent_id, pending.waited);
        pending.waited = true;
        let is_old = std::mem::take(&mut pending.news);
        let said = pending.sent_back;
        if step == Step::Claim && self.is_old_rejection(&task, said) {
            step = Step::Skip("its result is newer than the review");
        }
        if let Some(topic_id) = &task.topic_id {
            self.tasks.note_topic(topic_id, &task.id);
        }
        match step {
            Step::Run if self.is_task_ending(&task.id) => self.look_later(&task.id),
            Step::Run => self.hold_task(task),
            Step::Claim => self.ask_about(&task.id, TaskQuery::Run),
            Step::Later | Step::Skip(_) if is_old => self.ask_about(&task.id, TaskQuery::Now),
            Step::Later => {
                let at = Instant::now() + self.tasks.pace.recheck;
                if let Some(pending) = self.tasks.pending.get_mut(&task.id) {
                    pending.at = PendingState::Again(at);
                }
            }
            Step::Skip(why) => self.let_go(&task.id, why),
        }
    }

    /// The service has taken the claim, without telling the task: it is read.
    fn claimed(&mut self, task_id: &str) {
        if let Some(pending) = self.tasks.pending.get_mut(task_id) {
            pending.cause = Cause::Doing;
            self.ask_about(task_id, TaskQuery::Now);
        }
    }

    fn ask_again(&mut self, task_id: &str, why: &str) {
        let retry = self.tasks.pace.retry;
        let Some(pending) = self.tasks.pending.get_mut(task_id) else { return };
        pending.failed += 1;
        pending.at = PendingState::Again(Instant::now() + retry);
        let (failed, jobs) = (pending.failed, std::mem::take(&mut pending.jobs));
        // people are answered all the same; if the task can be looked at soon, their answer carries it out
        for job in jobs {
            self.accept(job);
        }
        if failed >= LOOKS {
            log::warn!(target: "hub", "task {task_id} cannot be looked at: {why}");
            self.let_go(task_id, why);
        }
    }

    /// What is due now.
    pub(crate) fn look_at_tasks(&mut self, now: Instant) {
        if self.tasks.deadline().is_none_or(|at| at > now) || self.drain.is_some() {
            return;
        }
        let mut due: Vec<(String, bool)> = Vec::new();
        due.extend(self.tasks.pending.iter().filter_map(|(task_id, pending)| match &pending.at {
            PendingState::Again(at) if *at <= now => Some((task_id.clone(), false)),
            PendingState::Held(at, _) if *at <= now => Some((task_id.clone(), true)),
            _ => None,
        }));
        // the message that has set a task going may be among those that were missed
        let reads = self.catch_up.deadline().is_some();
        for (task_id, is_held) in due {
            match is_held {
                true if reads => self.tasks.hold_on(&task_id, now + MOMENT),
                true => self.run_task(&task_id),
                false if self.is_task_ending(&task_id) => self.look_later(&task_id),
                false => self.ask_about(&task_id, TaskQuery::Now),
            }
        }
        if self.tasks.sweep_at.is_some_and(|at| at <= now) {
            self.tasks.sweep_at = Some(time::next_tick(now, self.tasks.pace.sweep));
            self.ask_about("", TaskQuery::List);
        }
    }

    /// The tasks that are being done: those that nobody does are taken up, and those that are done here but not meant
    /// to be any more are looked at.
    fn sweep(&mut self, list: &Value) {
        let rows = task::rows(list);
        let oldest = time::now_ms() - i64::try_from(ORPHAN_AGE.as_millis()).unwrap_or_default();
        let running = self.sessions.tasks();
        for task_id in running.iter().filter(|_| rows.len() < LIST) {
            if !rows.iter().any(|task| task.id == **task_id) {
                self.ask_about(task_id, TaskQuery::Still);
            }
        }
        for task in rows {
            let is_mine = task.status == Status::Doing && task.runner.as_ref() == Some(&self.me.agent_id);
            let is_fresh = task.updated_at.is_none_or(|at| at >= oldest);
            // without a time of its last change nobody knows whether it was run here before
            let is_new = task.run_key().is_some_and(|key| !self.store.state().has_seen(&key));
            if is_mine && is_fresh && is_new {
                self.consider_task(&task.id, Cause::Sweep, None);
            }
        }
    }
}
