//! The dialect of `codex exec --json` (observed with 0.169.0: `tests/fixtures/codex`). Pure.

use crate::agent::TurnRequest;
use crate::agent::adapter::is_uuid;
use crate::agent::adapters::codex::items::TurnItems;
use crate::agent::classify;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, failed_outcome, parse_typed_object, string_field, usage_with_cache,
};
use crate::agent::one_shot::invalid_session;
use crate::agent::outcome::{AgentOutcome, Reason};

/// Codex refuses a longer prompt, in characters, after it has started (`tests/fixtures/codex/big-prompt-1.8MB.stderr`).
const MAX_PROMPT: usize = 1 << 20;

/// One turn of codex.
#[derive(Debug)]
pub struct CodexExec {
    items: TurnItems,
}

impl CodexExec {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self { items: TurnItems::new(request) }
    }
}

/// Why the turn is refused before codex gets it.
pub(super) fn refusal(prompt: &str, resume: Option<&str>) -> Option<AgentOutcome> {
    let characters = prompt.chars().count();
    if characters > MAX_PROMPT {
        let words = format!(
            "the message has {characters} characters, and it takes at most {MAX_PROMPT}. Send it as a file"
        );
        return Some(failed_outcome(Reason::RefusedByPolicy, &words, String::new()));
    }
    invalid_session(resume, is_uuid)
}

impl Dialect for CodexExec {
    fn start(&mut self, effects: &mut DialectEffects) {
        let turn = &mut self.items.turn;
        match refusal(&turn.prompt, turn.resume.as_deref()) {
            Some(refused) => turn.finish(refused, effects),
            None => effects.stdin.push(std::mem::take(&mut turn.prompt)),
        }
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let turn = &mut self.items.turn;
        let Some(value) = parse_typed_object(line) else { return turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        match string_field(&value, "type") {
            "thread.started" => effects.session(string_field(&value, "thread_id"), is_uuid),
            "turn.started" => turn.started(effects),
            "item.started" => self.items.item(&value["item"], false, effects),
            "item.completed" => self.items.item(&value["item"], true, effects),
            "error" => {
                let message = string_field(&value, "message");
                self.items.complain(message, message.starts_with("Reconnecting"), effects);
            }
            "turn.completed" => {
                let usage = &value["usage"];
                effects.usage_total = usage.is_object().then(|| {
                    usage_with_cache(usage, ["input_tokens", "cached_input_tokens", "output_tokens"])
                });
                let answer = self.items.answer.take().unwrap_or_default();
                self.items.turn.done(&answer, effects);
            }
            "turn.failed" => {
                let message = string_field(&value["error"], "message");
                turn.fail(classify::provider_failure(message, turn.resume.is_some()), message, effects);
            }
            _ => {}
        }
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        self.items.turn.exited(exit, stderr_tail, effects);
    }

    fn partial_text(&self) -> String {
        self.items.turn.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.items.turn.classify(stderr_tail)
    }
}
