//! The dialect of `pi --mode json` (observed with 0.73.1 and 0.87.1; agents B 3). Pure.
//!
//! Both generations exit with 0 after an API error and after a refused resume, so only the lines and stderr decide.

use crate::agent::dialect::{Dialect, Effects, Exit, count, describe, detail, failed, object, string};
use crate::agent::one_shot::{Core, body};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, Request, Usage, adapter};
use serde_json::Value;
use std::path::PathBuf;

/// One turn of pi.
#[derive(Debug)]
pub struct Pi {
    pub(super) prompt: String,
    pub(super) workdir: PathBuf,
    pub(super) resume: Option<String>,
    pub(super) core: Core,
    /// The session, until it can be resumed.
    pub(super) id: String,
    /// The text of the last message that was meant as the last one.
    pub(super) answer: String,
    pub(super) usage: Usage,
    pub(super) started: bool,
}

impl Pi {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        Self {
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            core: Core::new(request),
            id: String::new(),
            answer: String::new(),
            usage: Usage::default(),
            started: false,
        }
    }

    pub(super) fn update(&mut self, event: &Value, fx: &mut Effects) {
        let delta = string(event, "delta");
        match string(event, "type") {
            "text_start" => self.core.new_message(),
            "text_delta" => self.core.text(delta, fx),
            "thinking_delta" => fx.events.push(AgentEvent::Thought(delta.to_owned())),
            _ => {}
        }
    }

    /// A whole message of the model. The first one writes the session to the disk: before it, a resume would fail.
    pub(super) fn message(&mut self, message: &Value, fx: &mut Effects) {
        if !self.id.is_empty() {
            fx.events.push(AgentEvent::Session(std::mem::take(&mut self.id)));
        }
        let usage = &message["usage"];
        let cached = count(usage, "cacheRead");
        self.usage.input += count(usage, "input") + cached + count(usage, "cacheWrite");
        self.usage.cached += cached;
        self.usage.output += count(usage, "output");
        fx.usage = Some(self.usage);

        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut text = String::new();
        for block in blocks.iter().filter(|block| string(block, "type") == "text") {
            text.push_str(string(block, "text"));
        }
        if !self.core.in_pieces() {
            self.core.text(&text, fx);
        }
        self.core.new_message();
        self.answer.clear();
        match string(message, "stopReason") {
            "toolUse" => self.core.complaint.clear(),
            "error" | "aborted" => string(message, "errorMessage").clone_into(&mut self.core.complaint),
            _ => self.answer = text,
        }
    }

    /// The agent has come to rest.
    pub(super) fn settle(&mut self, fx: &mut Effects) {
        let words = std::mem::take(&mut self.core.complaint);
        if words.is_empty() {
            let answer = std::mem::take(&mut self.answer);
            self.core.done(&answer, fx);
        } else {
            self.core.failed(&words, fx);
        }
    }

    /// A line of the protocol.
    pub(super) fn object(&mut self, value: &Value, fx: &mut Effects) {
        match string(value, "type") {
            "session" => {
                let id = string(value, "id");
                if adapter::is_plain_id(id) {
                    id.clone_into(&mut self.id);
                }
            }
            "agent_start" if !self.started => {
                self.started = true;
                fx.events.push(AgentEvent::Started);
            }
            "message_update" => self.update(&value["assistantMessageEvent"], fx),
            "message_end" if value["message"]["role"] == "assistant" => self.message(&value["message"], fx),
            "tool_execution_start" => {
                let name = string(value, "toolName");
                let (kind, title) = describe(name, &value["args"], &self.workdir);
                let id = string(value, "toolCallId").to_owned();
                fx.events.push(AgentEvent::Tool { id, kind, title });
            }
            "tool_execution_end" => {
                let id = string(value, "toolCallId").to_owned();
                self.core.tool_end(id, value["isError"] != true, fx);
            }
            "auto_retry_start" => {
                let (attempt, of) = (count(value, "attempt"), count(value, "maxAttempts"));
                let words = detail(body(string(value, "errorMessage")));
                fx.events.push(AgentEvent::Retry(format!("retry {attempt} of {of}: {words}")));
            }
            // The true end since 0.87; before, the process just exits.
            "agent_settled" => self.settle(fx),
            _ => {}
        }
    }
}

impl Dialect for Pi {
    fn start(&mut self, fx: &mut Effects) {
        if let Some(id) = self.resume.as_deref().filter(|id| !adapter::is_plain_id(id)) {
            let words = format!("`{id}` is not a session id");
            return self.core.finish(failed(Reason::StaleSession, &words, String::new()), fx);
        }
        fx.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(value) = object(line) else { return self.core.stray.line(line, fx) };
        fx.alive = true;
        self.object(&value, fx);
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        if exit == Exit::Code(0) && self.started {
            return self.settle(fx);
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
