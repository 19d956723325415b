//! The dialect of `codex exec --json` (observed with 0.169.0: `tests/fixtures/codex`), and what it shares with
//! the app-server's ([`server`]). Pure.

use crate::agent::adapters::codex::items::Items;
use crate::agent::dialect::{
    Dialect, Effects, Exit, Stray, count, detail, ended, failed, object, string, unsaid,
};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::{AgentEvent, Request, Usage, adapter, classify};

/// More characters codex refuses after it has started (`tests/fixtures/codex/big-prompt-1.8MB.stderr`).
pub(super) const MAX_PROMPT: usize = 1 << 20;

/// One turn of codex.
#[derive(Debug)]
pub struct Codex {
    pub(super) prompt: String,
    pub(super) resume: Option<String>,
    pub(super) items: Items,
    pub(super) stray: Stray,
    pub(super) ended: bool,
}

impl Codex {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        Self {
            prompt: request.prompt.clone(),
            resume: request.resume.clone(),
            items: Items::new(request),
            stray: Stray::default(),
            ended: false,
        }
    }

    pub(super) fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        if !self.ended {
            self.ended = true;
            fx.done = Some(outcome);
        }
    }
}

/// Why codex need not even be asked.
pub(super) fn refusal(prompt: &str, resume: Option<&str>) -> Option<Outcome> {
    let characters = prompt.chars().count();
    if characters > MAX_PROMPT {
        let words = format!(
            "the message has {characters} characters, and it takes at most {MAX_PROMPT}. Send it as a file"
        );
        return Some(failed(Reason::RefusedByPolicy, &words, String::new()));
    }
    let id = resume.filter(|id| !adapter::is_uuid(id))?;
    Some(failed(Reason::StaleSession, &format!("`{id}` is not a thread id"), String::new()))
}

impl Dialect for Codex {
    fn start(&mut self, fx: &mut Effects) {
        if let Some(refused) = refusal(&self.prompt, self.resume.as_deref()) {
            return self.finish(refused, fx);
        }
        fx.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(value) = object(line) else { return self.stray.line(line, fx) };
        fx.alive = true;
        match string(&value, "type") {
            "thread.started" => {
                let id = string(&value, "thread_id");
                if adapter::is_uuid(id) {
                    fx.events.push(AgentEvent::Session(id.to_owned()));
                }
            }
            "turn.started" => fx.events.push(AgentEvent::Started),
            "item.started" => self.items.item(&value["item"], false, fx),
            "item.completed" => self.items.item(&value["item"], true, fx),
            "error" => {
                let message = string(&value, "message");
                self.items.complaint = message.to_owned();
                if message.starts_with("Reconnecting") {
                    fx.events.push(AgentEvent::Retry(detail(message)));
                }
            }
            "turn.completed" => {
                let usage = &value["usage"];
                if usage.is_object() {
                    fx.usage_total = Some(Usage {
                        input: count(usage, "input_tokens"),
                        cached: count(usage, "cached_input_tokens"),
                        output: count(usage, "output_tokens"),
                    });
                }
                let answer = self.items.answer.take().unwrap_or_default();
                let outcome = ended(&answer, self.items.worked, "", self.items.said.text());
                self.finish(outcome, fx);
            }
            "turn.failed" => {
                let message = string(&value["error"], "message");
                let reason = classify::provider(message, self.resume.is_some());
                self.finish(failed(reason, message, self.items.said.text()), fx);
            }
            _ => {}
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        let outcome = unsaid(exit, &self.items.complaint, &self.stray, stderr_tail, self.items.said.text());
        self.finish(outcome, fx);
    }

    fn partial(&self) -> String {
        self.items.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::words(&self.items.complaint)
            .or_else(|| classify::tail(stderr_tail).map(|(reason, _)| reason))
    }
}
