//! The dialect of `qodercli -p -o stream-json`: Claude Code's, with what older releases did otherwise (agents B 6). Pure.
//!
//! Observed with 1.1.52 as far as its login; the rest is documented.

use crate::agent::adapters::claude_code::stream_json::Claude;
use crate::agent::dialect::{Dialect, Effects, Exit, describe, object, string};
use crate::agent::outcome::Reason;
use crate::agent::{AgentEvent, Request};
use serde_json::Value;
use std::path::PathBuf;

/// One turn of Qoder.
#[derive(Debug)]
pub struct Qoder {
    claude: Claude,
    workdir: PathBuf,
    calls: u32,
    /// The session, until the model has said something: before that it is not on the disk (1.1.52 without a login).
    session: Option<AgentEvent>,
    spoken: bool,
}

impl Qoder {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        Self {
            claude: Claude::new(request),
            workdir: request.workdir.clone(),
            calls: 0,
            session: None,
            spoken: false,
        }
    }

    /// A tool call of the old shape: named when it is over, without an id, its input as text.
    fn function(&mut self, item: &Value, fx: &mut Effects) {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        let input = serde_json::from_str(string(item, "input")).unwrap_or_default();
        let (kind, title) = describe(string(item, "name"), &input, &self.workdir);
        fx.events.push(AgentEvent::Tool { id: id.clone(), kind, title });
        fx.events.push(AgentEvent::ToolEnd { id, ok: true });
    }
}

impl Dialect for Qoder {
    fn start(&mut self, fx: &mut Effects) {
        self.claude.start(fx);
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(mut value) = object(line) else { return self.claude.line(line, fx) };
        let message = &value["message"];
        let items = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        match string(&value, "type") {
            // A text that still grows comes again as a whole with each frame.
            "assistant" if !matches!(string(message, "status"), "" | "finished") => {
                fx.alive = true;
                return;
            }
            "assistant" => {
                items
                    .iter()
                    .filter(|item| item["type"] == "function")
                    .for_each(|item| self.function(item, fx));
            }
            "result" if value.get("result").is_none() => {
                let text: String = items.iter().map(|item| string(item, "text")).collect();
                value["result"] = text.into();
            }
            _ => {}
        }
        self.spoken |=
            matches!(string(&value, "type"), "assistant" | "stream_event") && value.get("error").is_none();
        self.claude.object(&value, fx);
        if let Some(at) = fx.events.iter().position(|event| matches!(event, AgentEvent::Session(_))) {
            self.session = Some(fx.events.remove(at));
        }
        if self.spoken {
            fx.events.extend(self.session.take());
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        self.claude.end(exit, stderr_tail, fx);
    }

    fn partial(&self) -> String {
        self.claude.partial()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        self.claude.classify(stderr_tail)
    }
}
