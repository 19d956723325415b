//! The dialect of `codex exec --json` (observed with 0.169.0: `tests/fixtures/codex`), and what it shares with
//! the app-server's (`app_server.rs`). Pure.

use crate::agent::adapters::codex::items::Items;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, StrayOutput, completed_outcome, count_field, failed_outcome,
    failure_detail, outcome_from_exit, parse_typed_object, string_field,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, TurnRequest, Usage, adapter, classify};

/// More characters codex refuses after it has started (`tests/fixtures/codex/big-prompt-1.8MB.stderr`).
pub(super) const MAX_PROMPT: usize = 1 << 20;

/// One turn of codex.
#[derive(Debug)]
pub struct Codex {
    pub(super) prompt: String,
    pub(super) resume: Option<String>,
    pub(super) items: Items,
    pub(super) stray: StrayOutput,
    pub(super) ended: bool,
}

impl Codex {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            resume: request.resume.clone(),
            items: Items::new(request),
            stray: StrayOutput::default(),
            ended: false,
        }
    }

    pub(super) fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        if !self.ended {
            self.ended = true;
            effects.outcome = Some(outcome);
        }
    }
}

/// Why codex need not even be asked.
pub(super) fn refusal(prompt: &str, resume: Option<&str>) -> Option<AgentOutcome> {
    let characters = prompt.chars().count();
    if characters > MAX_PROMPT {
        let words = format!(
            "the message has {characters} characters, and it takes at most {MAX_PROMPT}. Send it as a file"
        );
        return Some(failed_outcome(Reason::RefusedByPolicy, &words, String::new()));
    }
    let id = resume.filter(|id| !adapter::is_uuid(id))?;
    Some(failed_outcome(Reason::StaleSession, &format!("`{id}` is not a thread id"), String::new()))
}

impl Dialect for Codex {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(refused) = refusal(&self.prompt, self.resume.as_deref()) {
            return self.finish(refused, effects);
        }
        effects.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            "thread.started" => {
                let id = string_field(&value, "thread_id");
                if adapter::is_uuid(id) {
                    effects.events.push(AgentEvent::Session(id.to_owned()));
                }
            }
            "turn.started" => effects.events.push(AgentEvent::Started),
            "item.started" => self.items.item(&value["item"], false, effects),
            "item.completed" => self.items.item(&value["item"], true, effects),
            "error" => {
                let message = string_field(&value, "message");
                self.items.complaint = message.to_owned();
                if message.starts_with("Reconnecting") {
                    effects.events.push(AgentEvent::Retry(failure_detail(message)));
                }
            }
            "turn.completed" => {
                let usage = &value["usage"];
                if usage.is_object() {
                    effects.usage_total = Some(Usage {
                        input: count_field(usage, "input_tokens"),
                        cached: count_field(usage, "cached_input_tokens"),
                        output: count_field(usage, "output_tokens"),
                    });
                }
                let answer = self.items.answer.take().unwrap_or_default();
                let outcome = completed_outcome(&answer, self.items.worked, "", self.items.said.text());
                self.finish(outcome, effects);
            }
            "turn.failed" => {
                let message = string_field(&value["error"], "message");
                let reason = classify::provider_failure(message, self.resume.is_some());
                self.finish(failed_outcome(reason, message, self.items.said.text()), effects);
            }
            _ => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let outcome =
            outcome_from_exit(exit, &self.items.complaint, &self.stray, stderr_tail, self.items.said.text());
        self.finish(outcome, effects);
    }

    fn partial_text(&self) -> String {
        self.items.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_message(&self.items.complaint)
            .or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
    }
}
