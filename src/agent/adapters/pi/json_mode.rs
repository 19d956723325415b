//! The dialect of `pi --mode json` (observed with 0.73.1 and 0.87.1; agents B 3). Pure.
//!
//! Both generations exit with 0 after an API error and after a refused resume, so only the lines and stderr decide.

use crate::agent::dialect::{
    Dialect, DialectEffects, Exit, count_field, describe_tool_call, failed_outcome, failure_detail,
    parse_typed_object, string_field,
};
use crate::agent::one_shot::{OneShotState, body};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, TurnRequest, Usage, adapter};
use serde_json::Value;
use std::path::PathBuf;

/// One turn of pi.
#[derive(Debug)]
pub struct Pi {
    pub(super) prompt: String,
    pub(super) workdir: PathBuf,
    pub(super) resume: Option<String>,
    pub(super) core: OneShotState,
    /// The session, until it can be resumed.
    pub(super) id: String,
    /// The text of the last message that was meant as the last one.
    pub(super) answer: String,
    pub(super) usage: Usage,
    pub(super) started: bool,
}

impl Pi {
    /// For one turn.
    pub fn new(request: &TurnRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            core: OneShotState::new(request),
            id: String::new(),
            answer: String::new(),
            usage: Usage::default(),
            started: false,
        }
    }

    pub(super) fn update(&mut self, event: &Value, effects: &mut DialectEffects) {
        let delta = string_field(event, "delta");
        match string_field(event, "type") {
            "text_start" => self.core.new_message(),
            "text_delta" => self.core.text(delta, effects),
            "thinking_delta" => effects.events.push(AgentEvent::Thought(delta.to_owned())),
            _ => {}
        }
    }

    /// A whole message of the model. The first one writes the session to the disk: before it, a resume would fail.
    pub(super) fn message(&mut self, message: &Value, effects: &mut DialectEffects) {
        if !self.id.is_empty() {
            effects.events.push(AgentEvent::Session(std::mem::take(&mut self.id)));
        }
        let usage = &message["usage"];
        let cached = count_field(usage, "cacheRead");
        self.usage.input += count_field(usage, "input") + cached + count_field(usage, "cacheWrite");
        self.usage.cached += cached;
        self.usage.output += count_field(usage, "output");
        effects.usage = Some(self.usage);

        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut text = String::new();
        for block in blocks.iter().filter(|block| string_field(block, "type") == "text") {
            text.push_str(string_field(block, "text"));
        }
        if !self.core.in_pieces() {
            self.core.text(&text, effects);
        }
        self.core.new_message();
        self.answer.clear();
        match string_field(message, "stopReason") {
            "toolUse" => self.core.complaint.clear(),
            "error" | "aborted" => string_field(message, "errorMessage").clone_into(&mut self.core.complaint),
            _ => self.answer = text,
        }
    }

    /// The agent has come to rest.
    pub(super) fn settle(&mut self, effects: &mut DialectEffects) {
        let words = std::mem::take(&mut self.core.complaint);
        if words.is_empty() {
            let answer = std::mem::take(&mut self.answer);
            self.core.done(&answer, effects);
        } else {
            self.core.failed(&words, effects);
        }
    }

    /// A line of the protocol.
    pub(super) fn object(&mut self, value: &Value, effects: &mut DialectEffects) {
        match string_field(value, "type") {
            "session" => {
                let id = string_field(value, "id");
                if adapter::is_plain_id(id) {
                    id.clone_into(&mut self.id);
                }
            }
            "agent_start" if !self.started => {
                self.started = true;
                effects.events.push(AgentEvent::Started);
            }
            "message_update" => self.update(&value["assistantMessageEvent"], effects),
            "message_end" if value["message"]["role"] == "assistant" => {
                self.message(&value["message"], effects)
            }
            "tool_execution_start" => {
                let name = string_field(value, "toolName");
                let (kind, title) = describe_tool_call(name, &value["args"], &self.workdir);
                let id = string_field(value, "toolCallId").to_owned();
                effects.events.push(AgentEvent::Tool { id, kind, title });
            }
            "tool_execution_end" => {
                let id = string_field(value, "toolCallId").to_owned();
                self.core.tool_end(id, value["isError"] != true, effects);
            }
            "auto_retry_start" => {
                let (attempt, of) = (count_field(value, "attempt"), count_field(value, "maxAttempts"));
                let words = failure_detail(body(string_field(value, "errorMessage")));
                effects.events.push(AgentEvent::Retry(format!("retry {attempt} of {of}: {words}")));
            }
            // The true end since 0.87; before, the process just exits.
            "agent_settled" => self.settle(effects),
            _ => {}
        }
    }
}

impl Dialect for Pi {
    fn start(&mut self, effects: &mut DialectEffects) {
        if let Some(id) = self.resume.as_deref().filter(|id| !adapter::is_plain_id(id)) {
            let words = format!("`{id}` is not a session id");
            return self.core.finish(failed_outcome(Reason::StaleSession, &words, String::new()), effects);
        }
        effects.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn on_line(&mut self, line: &str, effects: &mut DialectEffects) {
        let Some(value) = parse_typed_object(line) else { return self.core.stray.line(line, effects) };
        effects.is_sign_of_life = true;
        self.object(&value, effects);
    }

    fn on_exit(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        if exit == Exit::Code(0) && self.started {
            return self.settle(effects);
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
