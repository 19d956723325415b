//! The live turns that carry out tasks.

use super::Scheduler;
use super::turn::LiveTurn;
use crate::session::task::{TaskLink, TaskRun};
use crate::session::turn::TurnId;
use crate::wire::intake::Scope;
use crate::wire::task::Task;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// The turn of a session that is under way.
#[derive(Debug)]
pub(crate) struct RunningTask {
    /// Number of the turn.
    pub(crate) turn_id: TurnId,
    /// The task that it carries out, if any.
    pub(crate) task: Arc<TaskLink>,
}

impl Scheduler {
    /// Whether a turn that runs or waits carries the session's task out.
    pub(crate) fn runs_task(&self, scope: &Scope) -> bool {
        self.turns(scope).any(|turn| turn.task.task_id().is_some())
    }

    /// Since when the running turn of a session carries its task out.
    pub(crate) fn task_began(&self, scope: &Scope) -> Option<Instant> {
        self.turns(scope).next().filter(|turn| turn.task.task_id().is_some())?.began
    }

    /// The turn of a session that is under way.
    pub(crate) fn running_task(&self, scope: &Scope) -> Option<RunningTask> {
        let turn = self.turns(scope).find(|turn| turn.began.is_some())?;
        Some(RunningTask { turn_id: turn.turn_id, task: turn.task.clone() })
    }

    /// Whether the turn that is under way in a topic answers an encrypted message.
    pub(crate) fn answers_encrypted(&self, topic_id: &str) -> bool {
        let scope = Scope::Topic(topic_id.to_owned());
        self.turns(&scope).any(|turn| turn.began.is_some() && turn.message["encrypted"] == true)
    }

    /// The tasks that are carried out now, or will be.
    pub(crate) fn tasks(&self) -> Vec<String> {
        self.all().flat_map(|(_, turns)| turns.iter()).filter_map(|turn| turn.task.task_id()).collect()
    }

    /// Lets a turn that answers a message carry the task out, if `is_same_request` says so of the moment when it was
    /// accepted and of its message. Returns the key of the message.
    pub(crate) fn promote(
        &mut self,
        scope: &Scope,
        run: &TaskRun,
        task: &Task,
        is_same_request: impl Fn(Instant, &Value) -> bool,
    ) -> Option<String> {
        let turns = &mut self.live.get_mut(scope)?.turns;
        let fits = |turn: &&mut LiveTurn| {
            !turn.adapter.is_empty()
                && !turn.is_stopping
                && turn.offer.is_none()
                && is_same_request(turn.accepted, &turn.message)
        };
        let turn = turns.iter_mut().rev().find(fits).filter(|turn| turn.task.promote(run.clone()))?;
        turn.message = json!({ "task_run": task.source, "message": turn.message });
        Some(turn.key.clone())
    }

    /// The running turn of a session: the key of its message, and its task.
    pub(crate) fn task_of_running(&self, scope: &Scope, turn_id: TurnId) -> Option<(String, Arc<TaskLink>)> {
        let turn = self.turns(scope).next().filter(|turn| turn.turn_id == turn_id)?;
        Some((turn.key.clone(), turn.task.clone()))
    }

    /// Ends the turns of a task that was ended elsewhere; the service gets no result.
    pub(crate) fn end_task(&mut self, scope: &Scope) -> bool {
        self.stop_some(scope, usize::MAX, |turn| {
            let is_run = turn.task.task_id().is_some();
            if is_run {
                turn.task.end_elsewhere();
            }
            is_run
        })
    }
}
