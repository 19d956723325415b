//! The live turns that carry out tasks.

use super::Scheduler;
use crate::daemon::tasks::answered;
use crate::session::task::{TaskLink, TaskRun};
use crate::session::turn::TurnId;
use crate::wire::intake::Scope;
use crate::wire::task::Task;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

impl Scheduler {
    /// Whether a turn that runs or waits carries the session's task out.
    pub(crate) fn runs_task(&self, scope: &Scope) -> bool {
        self.turns(scope).any(|turn| turn.task.task_id().is_some())
    }

    /// Since when the running turn of a session carries its task out.
    pub(crate) fn run_began(&self, scope: &Scope) -> Option<Instant> {
        self.turns(scope).next().filter(|turn| turn.task.task_id().is_some())?.began
    }

    /// The turn of a session that runs now: its number, and the task that it may carry out.
    pub(crate) fn running(&self, scope: &Scope) -> Option<(TurnId, Arc<TaskLink>)> {
        let turn = self.turns(scope).find(|turn| turn.began.is_some())?;
        Some((turn.turn_id, turn.task.clone()))
    }

    /// Whether the turn that a topic's session runs now answers an encrypted message.
    pub(crate) fn is_sealed(&self, topic_id: &str) -> bool {
        let scope = Scope::Topic(topic_id.to_owned());
        self.turns(&scope).any(|turn| turn.began.is_some() && turn.message["encrypted"] == true)
    }

    /// The tasks that are carried out now, or will be.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let mut out = Vec::new();
        out.extend(self.all().flat_map(|(_, turns)| turns.iter()).filter_map(|turn| turn.task.task_id()));
        out
    }

    /// Lets a turn that answers a message carry the task out, if one was accepted so lately that message and task are
    /// one request. What it was accepted for, and what it is to be put off with.
    pub(crate) fn promote(&mut self, scope: &Scope, run: &TaskRun, task: &Task) -> Option<String> {
        let turns = &mut self.live.get_mut(scope)?.turns;
        let fits = |turn: &&mut super::LiveTurn| {
            !turn.adapter.is_empty()
                && !turn.stopping
                && turn.offer.is_none()
                && answered::belongs(task, turn.accepted, &turn.message)
        };
        let turn = turns.iter_mut().rev().find(fits).filter(|turn| turn.task.promote(run.clone()))?;
        turn.message = json!({ "task_run": task.source, "message": turn.message });
        Some(turn.key.clone())
    }

    /// The running turn of a session: what it was accepted for, and its link.
    pub(crate) fn link(&self, scope: &Scope, turn_id: TurnId) -> Option<(String, Arc<TaskLink>)> {
        let turn = self.turns(scope).next().filter(|turn| turn.turn_id == turn_id)?;
        Some((turn.key.clone(), turn.task.clone()))
    }

    /// The task has been ended by somebody else: so are its turns, and the service is not told how.
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
