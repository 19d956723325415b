//! The dialect of `crush run`: plain text on stdout (from its public source of 2026-08; `tests/fixtures/crush` shows the
//! shapes). Pure.
//!
//! It does not print its session id; the spec queries it after the turn.

use crate::agent::adapters::crush::session_id::split_session_id;
use crate::agent::dialect::{Dialect, DialectEffects, Exit};
use crate::agent::one_shot::{OneShotState, naming};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, TurnRequest};

/// One turn of crush.
#[derive(Debug)]
pub struct Crush {
    turn: OneShotState,
}

impl Crush {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        let mut turn = OneShotState::new(request);
        turn.prompt = naming(&request.prompt, &request.images);
        Self { turn }
    }
}

impl Dialect for Crush {
    fn start(&mut self, effects: &mut DialectEffects) {
        // It prints nothing while tools run, so its first output may come late.
        effects.is_sign_of_life = true;
        self.turn.start(|id| split_session_id(id).is_some(), effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        effects.is_sign_of_life = true;
        self.turn.said.push_delta(line);
        self.turn.said.push_delta("\n");
        if !line.trim().is_empty() {
            effects.events.push(AgentEvent::Text(line.to_owned()));
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let said = self.turn.said.text();
        if exit == Exit::Code(0) && !said.is_empty() {
            return self.turn.done(&said, effects);
        }
        let is_unknown_session = |line: &&str| line.contains("ession") && line.contains("not found");
        if let Some(line) =
            stderr_tail.lines().rev().find(is_unknown_session).filter(|_| self.turn.resume.is_some())
        {
            return self.turn.fail(Reason::StaleSession, line, effects);
        }
        self.turn.exited_with_any_code(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.turn.classify(stderr_tail)
    }
}
