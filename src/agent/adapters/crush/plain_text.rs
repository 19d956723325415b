//! The dialect of `crush run`: plain text on stdout, nothing else (agents B 2; from its public source of 2026-08). Pure.
//!
//! Its session id is not said either; the spec tells how it is asked for afterwards.

use crate::agent::adapters;
use crate::agent::dialect::{Dialect, Effects, Exit, failed};
use crate::agent::one_shot::{Core, naming};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, Request};

/// One turn of crush.
#[derive(Debug)]
pub struct Crush {
    prompt: String,
    resume: Option<String>,
    core: Core,
}

impl Crush {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        let prompt = naming(&request.prompt, &request.images);
        Self { prompt, resume: request.resume.clone(), core: Core::new(request) }
    }
}

impl Dialect for Crush {
    fn start(&mut self, fx: &mut Effects) {
        if let Some(id) = self.resume.as_deref().filter(|id| adapters::crush::parts(id).is_none()) {
            let words = format!("`{id}` is not a session id");
            return self.core.finish(failed(Reason::StaleSession, &words, String::new()), fx);
        }
        // It says nothing while tools run, so it cannot be expected to speak soon.
        fx.alive = true;
        fx.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        fx.alive = true;
        self.core.said.piece(line);
        self.core.said.piece("\n");
        if !line.trim().is_empty() {
            fx.events.push(AgentEvent::Text(line.to_owned()));
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        let said = self.core.said.text();
        if exit == Exit::Code(0) && !said.is_empty() {
            return self.core.done(&said, fx);
        }
        let lost = |line: &&str| line.contains("ession") && line.contains("not found");
        if let Some(line) = stderr_tail.lines().rev().find(lost).filter(|_| self.core.resumed) {
            return self.core.finish(failed(Reason::StaleSession, line, said), fx);
        }
        self.core.end(exit, stderr_tail, fx);
    }

    fn partial(&self) -> String {
        self.core.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.core.classify(stderr_tail)
    }
}
