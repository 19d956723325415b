//! The dialect of `pi --mode json` (observed with 0.73.1 and 0.87.1: `tests/fixtures/pi`). Pure.
//!
//! Both generations exit with 0 after an API error and after a refused resume, so only stdout and stderr show a failure.

use crate::agent::adapter::is_plain_id;
use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, count_field, describe_tool_call, failure_detail, parse_typed_object,
    string_field, text_of_blocks, usage_without_cache,
};
use crate::agent::one_shot::{OneShotState, body};
use crate::agent::outcome::Reason;
use crate::agent::{TurnRequest, Usage};
use serde_json::Value;

/// One turn of pi.
#[derive(Debug)]
pub struct Pi {
    pub(super) turn: OneShotState,
    /// The session id, until the session can be resumed.
    pub(super) session: String,
    /// The text of the last message, if pi ended its work with it.
    pub(super) answer: String,
    usage: Usage,
}

impl Pi {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            turn: OneShotState::new(request),
            session: String::new(),
            answer: String::new(),
            usage: Usage::default(),
        }
    }

    fn update(&mut self, event: &Value, effects: &mut DialectEffects) {
        let delta = string_field(event, "delta");
        match string_field(event, "type") {
            "text_start" => self.turn.new_message(),
            "text_delta" => self.turn.text(delta, effects),
            "thinking_delta" => effects.thought(delta),
            _ => {}
        }
    }

    /// A whole message of the model. With the first one pi writes the session to disk: before that, a resume would fail.
    fn message(&mut self, message: &Value, effects: &mut DialectEffects) {
        effects.session(&std::mem::take(&mut self.session), is_plain_id);
        let keys = ["input", "cacheRead", "cacheWrite", "output"];
        self.usage = self.usage.plus(usage_without_cache(&message["usage"], keys));
        effects.usage = Some(self.usage);

        let text = text_of_blocks(&message["content"]);
        if !self.turn.in_pieces() {
            self.turn.text(&text, effects);
        }
        self.turn.new_message();
        self.answer.clear();
        match string_field(message, "stopReason") {
            "toolUse" => self.turn.complaint.clear(),
            "error" | "aborted" => string_field(message, "errorMessage").clone_into(&mut self.turn.complaint),
            _ => self.answer = text,
        }
    }

    /// Reports the outcome: pi has ended its work.
    pub(super) fn settle(&mut self, effects: &mut DialectEffects) {
        let words = std::mem::take(&mut self.turn.complaint);
        if words.is_empty() {
            let answer = std::mem::take(&mut self.answer);
            self.turn.done(&answer, effects);
        } else {
            self.turn.failed(&words, effects);
        }
    }

    /// Handles one line of the protocol.
    pub(super) fn object(&mut self, value: &Value, effects: &mut DialectEffects) {
        match string_field(value, "type") {
            "session" => string_field(value, "id").clone_into(&mut self.session),
            "agent_start" => self.turn.started(effects),
            "message_update" => self.update(&value["assistantMessageEvent"], effects),
            "message_end" if value["message"]["role"] == "assistant" => {
                self.message(&value["message"], effects)
            }
            "tool_execution_start" => {
                let name = string_field(value, "toolName");
                let described = describe_tool_call(name, &value["args"], &self.turn.workdir);
                effects.tool(string_field(value, "toolCallId"), described);
            }
            "tool_execution_end" => {
                let id = string_field(value, "toolCallId").to_owned();
                self.turn.tool_end(id, value["isError"] != true, effects);
            }
            "auto_retry_start" => {
                let words = failure_detail(body(string_field(value, "errorMessage")));
                effects.retry(count_field(value, "attempt"), count_field(value, "maxAttempts"), &words);
            }
            // The end since 0.87; older releases exit instead.
            "agent_settled" => self.settle(effects),
            _ => {}
        }
    }
}

impl Dialect for Pi {
    fn start(&mut self, effects: &mut DialectEffects) {
        self.turn.start(is_plain_id, effects);
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.turn.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        self.object(&value, effects);
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if exit == Exit::Code(0) && self.turn.started {
            return self.settle(effects);
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
