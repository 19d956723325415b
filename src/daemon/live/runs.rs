//! The live turns that carry out tasks.

use super::Sessions;
use crate::session::task::Run;
use crate::wire::intake::Scope;
use serde_json::Value;
use std::time::{Duration, Instant};

impl Sessions {
    /// Whether a turn that runs or waits carries the session's task out.
    pub(in crate::daemon) fn runs_task(&self, scope: &Scope) -> bool {
        self.turns(scope).any(|turn| turn.task.task_id().is_some())
    }

    /// The tasks that are carried out now, or will be.
    pub(in crate::daemon) fn tasks(&self) -> Vec<String> {
        let mut out = Vec::new();
        out.extend(self.all().flat_map(|(_, turns)| turns.iter()).filter_map(|turn| turn.task.task_id()));
        out
    }

    /// Lets a turn that answers a message carry the task out, if one was accepted so lately that message and task are
    /// one request. What it was accepted for, and what it is to be put off with.
    pub(in crate::daemon) fn promote(
        &mut self,
        scope: &Scope,
        run: &Run,
        task: &Value,
        within: Duration,
    ) -> Option<String> {
        let now = Instant::now();
        let turns = &mut self.live.get_mut(scope)?.turns;
        let fits = |turn: &&mut super::LiveTurn| {
            !turn.adapter.is_empty() && !turn.stopping && turn.offer.is_none() && now < turn.accepted + within
        };
        let turn = turns.iter_mut().rev().find(fits).filter(|turn| turn.task.promote(run.clone()))?;
        turn.message = crate::json::object!({ "task_run": task, "message": turn.message });
        Some(turn.key.clone())
    }

    /// The task has been ended by somebody else: so are its turns, and the service is not told how.
    pub(in crate::daemon) fn end_task(&mut self, scope: &Scope) -> bool {
        self.stop_some(scope, usize::MAX, |turn| {
            let is_run = turn.task.task_id().is_some();
            if is_run {
                turn.task.end_elsewhere();
            }
            is_run
        })
    }
}
