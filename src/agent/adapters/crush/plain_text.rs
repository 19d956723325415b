//! The dialect of `crush run`: plain text on stdout, nothing else (from its public source of 2026-08). Pure.
//!
//! Its session id is not said either; the spec tells how it is asked for afterwards.

use crate::agent::adapter;
use crate::agent::dialect::{Dialect, DialectEffects, Exit, failed_outcome};
use crate::agent::one_shot::{OneShotState, naming};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, TurnRequest};

/// The session id as it is stored: the data directory's name and crush's own id, `<uuid>:<uuid>`.
pub fn parts(id: &str) -> Option<(&str, &str)> {
    id.split_once(':').filter(|(own, session)| adapter::is_uuid(own) && adapter::is_uuid(session))
}

/// One turn of crush.
#[derive(Debug)]
pub struct Crush {
    prompt: String,
    resume: Option<String>,
    core: OneShotState,
}

impl Crush {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        let prompt = naming(&request.prompt, &request.images);
        Self { prompt, resume: request.resume.clone(), core: OneShotState::new(request) }
    }
}

impl Dialect for Crush {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(id) = self.resume.as_deref().filter(|id| parts(id).is_none()) {
            let words = format!("`{id}` is not a session id");
            return self.core.finish(failed_outcome(Reason::StaleSession, &words, String::new()), effects);
        }
        // It says nothing while tools run, so it cannot be expected to speak soon.
        effects.is_sign_of_life = true;
        effects.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        effects.is_sign_of_life = true;
        self.core.said.push_delta(line);
        self.core.said.push_delta("\n");
        if !line.trim().is_empty() {
            effects.events.push(AgentEvent::Text(line.to_owned()));
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let said = self.core.said.text();
        if exit == Exit::Code(0) && !said.is_empty() {
            return self.core.done(&said, effects);
        }
        let lost = |line: &&str| line.contains("ession") && line.contains("not found");
        if let Some(line) = stderr_tail.lines().rev().find(lost).filter(|_| self.core.resumed) {
            return self.core.finish(failed_outcome(Reason::StaleSession, line, said), effects);
        }
        self.core.end(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.core.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.core.classify(stderr_tail)
    }
}
