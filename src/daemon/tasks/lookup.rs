//! What the service's answers about tasks lead to; what is due; the sweep.

use super::{Neighbors, PendingState, Tasks, is_ending};
use crate::daemon::context::Context;
use crate::daemon::effect::{Effects, StartTurn};
use crate::daemon::outbound::http_call::{HttpOutcome, TaskQuery};
use crate::sys::time;
use crate::wire::task::{self, Task, TaskCause, TaskDecision, TaskStatus};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A task that was left so long ago is not taken up by itself any more (see TASKS in wtt-connect-protocol(7)).
const ORPHAN_AGE: Duration = Duration::from_secs(6 * 3600);
/// Looks in a row that failed before a task is left to the next sweep: a minute.
const LOOKS_MAX: u32 = 12;
/// How often a task that waits for the catch-up looks whether that is over; ten seconds at most.
const CATCH_UP_CHECK: Duration = Duration::from_millis(100);
/// As many as a list is asked for: it may be longer.
const LIST_MAX: usize = 100;
/// Between the word of a rejection and the change that it makes, by the service's clock. Milliseconds.
const SAME_TIME_MS: i64 = 5_000;

impl Tasks {
    /// A call about a task has ended.
    pub(crate) fn on_answer(
        &mut self,
        cx: &mut Context,
        n: &mut Neighbors<'_>,
        task_id: &str,
        query: TaskQuery,
        outcome: HttpOutcome,
    ) -> Effects {
        let mut effects = Effects::none();
        match (query, outcome) {
            (TaskQuery::List, HttpOutcome::Accepted(list)) => self.sweep(cx, n, &list, &mut effects),
            (TaskQuery::List, HttpOutcome::Refused(_, why)) => {
                log::debug!(target: "hub", "no list of tasks: {why}; not asked again before the next connection");
                self.sweep_at = None;
            }
            (TaskQuery::WhileRunning, HttpOutcome::Accepted(row)) => {
                if let Some(status) = Task::decode(&row).map(|task| task.status).filter(|s| s.is_over()) {
                    self.on_task_over(cx, n, task_id, status, &mut effects);
                }
            }
            (TaskQuery::List | TaskQuery::WhileRunning, _) => {}
            (_, HttpOutcome::Unknown(why)) => self.on_failed_look(task_id, &why, &mut effects),
            (TaskQuery::Current, HttpOutcome::Accepted(row)) => match Task::decode(&row) {
                Some(task) => self.on_task(cx, n, task, &mut effects),
                None => self.drop_pending(task_id, "the service's answer is no task", &mut effects),
            },
            // what it is now, with the time of its latest change
            (TaskQuery::Claim | TaskQuery::ClaimByStatus, HttpOutcome::Accepted(row)) => {
                match Task::decode(&row) {
                    Some(task) if task.status == TaskStatus::Doing && task.topic_id.is_some() => {
                        self.hold(cx, n, task, &mut effects);
                    }
                    _ => self.on_claimed(cx, task_id, &mut effects),
                }
            }
            (TaskQuery::Claim, HttpOutcome::Refused(404 | 405, _)) => {
                self.ask(cx, task_id, TaskQuery::ClaimByStatus, &mut effects);
            }
            (
                TaskQuery::Current | TaskQuery::Claim | TaskQuery::ClaimByStatus,
                HttpOutcome::Refused(_, why),
            ) => {
                log::warn!(target: "hub", "task {task_id} cannot be taken up: {why}");
                self.drop_pending(task_id, &why, &mut effects);
            }
        }
        effects
    }

    /// A rejection that is read late: this connector has brought a newer result to review since.
    fn is_old_rejection(&self, task: &Task, rejected_at: Option<i64>) -> bool {
        let own = self.own_changes.get(&task::path(&task.id));
        let is_own =
            own.is_some_and(|own| own.status == TaskStatus::Review && task.status == TaskStatus::Review);
        let is_later = task.updated_at.zip(rejected_at).is_some_and(|(at, said)| at > said + SAME_TIME_MS);
        is_own && is_later
    }

    /// A pending task as it is now.
    fn on_task(&mut self, cx: &mut Context, n: &mut Neighbors<'_>, task: Task, effects: &mut Effects) {
        let Some(pending) = self.pending.get_mut(&task.id) else { return };
        let mut step = task::decide(pending.cause, &task, &cx.identity.agent_id, pending.was_looked_at);
        pending.was_looked_at = true;
        let is_old = std::mem::take(&mut pending.has_news);
        let rejected_at = pending.sent_back_at;
        if step == TaskDecision::Claim && self.is_old_rejection(&task, rejected_at) {
            step = TaskDecision::Skip("its result is newer than the review");
        }
        if let Some(topic_id) = &task.topic_id {
            self.remember_topic(topic_id, &task.id);
        }
        match step {
            TaskDecision::Run if is_ending(n, &task.id) => self.ask_after(&task.id, self.timing.hold),
            TaskDecision::Run => self.hold(cx, n, task, effects),
            TaskDecision::Claim => self.ask(cx, &task.id, TaskQuery::Claim, effects),
            TaskDecision::Later | TaskDecision::Skip(_) if is_old => {
                self.ask(cx, &task.id, TaskQuery::Current, effects)
            }
            TaskDecision::Later => self.ask_after(&task.id, self.timing.recheck),
            TaskDecision::Skip(why) => self.drop_pending(&task.id, why, effects),
        }
    }

    /// The service has accepted the claim, without the task in its answer: it is read.
    fn on_claimed(&mut self, cx: &Context, task_id: &str, effects: &mut Effects) {
        if let Some(pending) = self.pending.get_mut(task_id) {
            pending.cause = TaskCause::Doing;
            self.ask(cx, task_id, TaskQuery::Current, effects);
        }
    }

    /// Nobody knows how a look at a pending task has ended.
    fn on_failed_look(&mut self, task_id: &str, why: &str, effects: &mut Effects) {
        let Some(pending) = self.pending.get_mut(task_id) else { return };
        pending.failures += 1;
        pending.state = PendingState::AskAt(Instant::now() + self.timing.retry);
        let failures = pending.failures;
        // people are answered all the same; if the task can be looked at soon, their answer carries it out
        for job in std::mem::take(&mut pending.jobs) {
            effects.start(StartTurn::for_message(job));
        }
        if failures >= LOOKS_MAX {
            log::warn!(target: "hub", "task {task_id} cannot be looked at: {why}");
            self.drop_pending(task_id, why, effects);
        }
    }

    /// Does what is due now.
    pub(crate) fn on_timer(&mut self, cx: &mut Context, n: &mut Neighbors<'_>, now: Instant) -> Effects {
        let mut effects = Effects::none();
        if self.deadline().is_none_or(|at| at > now) || cx.lifecycle.is_shutting_down() {
            return effects;
        }
        for task_id in self.due_to_run(now) {
            match n.is_catching_up {
                true => self.delay_run(&task_id, now + CATCH_UP_CHECK),
                false => self.run(cx, n, &task_id, &mut effects),
            }
        }
        for task_id in self.due_to_ask(now) {
            match is_ending(n, &task_id) {
                true => self.ask_after(&task_id, self.timing.hold),
                false => self.ask(cx, &task_id, TaskQuery::Current, &mut effects),
            }
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep_at = Some(time::next_tick(now, self.timing.sweep));
            self.ask(cx, "", TaskQuery::List, &mut effects);
        }
        effects
    }

    fn due_to_ask(&self, now: Instant) -> Vec<String> {
        let is_due = |state: &PendingState| matches!(state, PendingState::AskAt(at) if *at <= now);
        self.pending.iter().filter(|(_, p)| is_due(&p.state)).map(|(task_id, _)| task_id.clone()).collect()
    }

    fn due_to_run(&self, now: Instant) -> Vec<String> {
        let is_due = |state: &PendingState| matches!(state, PendingState::RunAt(at, _) if *at <= now);
        self.pending.iter().filter(|(_, p)| is_due(&p.state)).map(|(task_id, _)| task_id.clone()).collect()
    }

    /// A held task waits for the catch-up, which may bring the message that has set it going.
    fn delay_run(&mut self, task_id: &str, until: Instant) {
        let state = self.pending.get_mut(task_id).map(|pending| &mut pending.state);
        if let Some(PendingState::RunAt(at, _)) = state {
            *at = until;
        }
    }

    /// The tasks that are being done: those that nobody does are taken up, and those that are done here but not meant
    /// to be any more are looked at.
    fn sweep(&mut self, cx: &mut Context, n: &mut Neighbors<'_>, list: &Value, effects: &mut Effects) {
        let rows = task::rows(list);
        let oldest = time::now_ms() - i64::try_from(ORPHAN_AGE.as_millis()).unwrap_or_default();
        for task_id in n.scheduler.tasks().iter().filter(|_| rows.len() < LIST_MAX) {
            if !rows.iter().any(|task| task.id == **task_id) {
                self.ask(cx, task_id, TaskQuery::WhileRunning, effects);
            }
        }
        for task in rows {
            let is_own =
                task.status == TaskStatus::Doing && task.runner.as_ref() == Some(&cx.identity.agent_id);
            let is_fresh = task.updated_at.is_none_or(|at| at >= oldest);
            // without a time of its last change nobody knows whether it was run here before
            let is_new = task.run_key().is_some_and(|key| !cx.store.state().has_seen(&key));
            if is_own && is_fresh && is_new {
                self.consider(cx, n, &task.id, TaskCause::Sweep, None, effects);
            }
        }
    }
}
