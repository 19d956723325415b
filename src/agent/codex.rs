//! The dialect of `codex exec --json` (observed with 0.169.0; agents 3.2, 3.3). Pure.

use crate::agent::dialect::{
    Dialect, Effects, Exit, Said, Stray, command_title, count, detail, failed, object, string, title, unsaid,
};
use crate::agent::outcome::{Outcome, Reason};
use crate::agent::{AgentEvent, Request, ToolKind, Usage, classify, spec};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// More characters codex refuses after it has started (agents 2.3).
const MAX_PROMPT: usize = 1 << 20;

/// One turn of codex.
#[derive(Debug)]
pub struct Codex {
    prompt: String,
    workdir: PathBuf,
    resume: Option<String>,
    said: Said,
    /// The last whole message: the answer, if the turn completes.
    answer: Option<String>,
    /// What it complained about last, until work goes on.
    complaint: String,
    open: BTreeSet<String>,
    stray: Stray,
    ended: bool,
}

impl Codex {
    /// For one turn.
    pub fn new(request: &Request) -> Self {
        Self {
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            said: Said::default(),
            answer: None,
            complaint: String::new(),
            open: BTreeSet::new(),
            stray: Stray::default(),
            ended: false,
        }
    }

    fn item(&mut self, item: &Value, completed: bool, fx: &mut Effects) {
        let kind = string(item, "type");
        match kind {
            "agent_message" if completed => {
                let text = string(item, "text");
                self.said.message(text);
                self.answer = Some(text.to_owned());
                fx.events.push(AgentEvent::Text(text.to_owned()));
            }
            "reasoning" if completed => fx.events.push(AgentEvent::Thought(string(item, "text").to_owned())),
            // A warning, not a failure.
            "error" => fx.events.push(AgentEvent::Note(detail(string(item, "message")))),
            "agent_message" | "reasoning" | "todo_list" | "" => return,
            _ => self.tool(item, kind, completed, fx),
        }
        if kind != "error" {
            self.complaint.clear();
        }
    }

    fn tool(&mut self, item: &Value, kind: &str, completed: bool, fx: &mut Effects) {
        let id = string(item, "id").to_owned();
        if self.open.insert(id.clone()) {
            let (kind, title) = self.describe(item, kind);
            fx.events.push(AgentEvent::Tool { id: id.clone(), kind, title });
        }
        if completed {
            self.open.remove(&id);
            let exit = item.get("exit_code").and_then(Value::as_i64).unwrap_or(0);
            let status = string(item, "status");
            fx.events.push(AgentEvent::ToolEnd { id, ok: exit == 0 && matches!(status, "" | "completed") });
            if status == "declined" {
                fx.events.push(AgentEvent::Denied(self.describe(item, kind).1));
            }
        }
    }

    fn describe(&self, item: &Value, kind: &str) -> (ToolKind, String) {
        match kind {
            "command_execution" => (ToolKind::Command, command_title(string(item, "command"))),
            "web_search" => {
                let query = string(item, "query");
                (ToolKind::WebSearch, title(if query.is_empty() { "web search" } else { query }))
            }
            "file_change" => (ToolKind::Tool, title(&self.changes(item))),
            "mcp_tool_call" => {
                (ToolKind::Tool, title(&format!("{}.{}", string(item, "server"), string(item, "tool"))))
            }
            other => {
                let tool = string(item, "tool");
                (ToolKind::Tool, title(if tool.is_empty() { other } else { tool }))
            }
        }
    }

    /// "add note.txt, update src/main.rs"
    fn changes(&self, item: &Value) -> String {
        let changes = item.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let parts = changes.iter().map(|change| {
            let path = Path::new(string(change, "path"));
            let path = path.strip_prefix(&self.workdir).unwrap_or(path);
            format!("{} {}", string(change, "kind"), path.display())
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn finish(&mut self, outcome: Outcome, fx: &mut Effects) {
        if !self.ended {
            self.ended = true;
            fx.done = Some(outcome);
        }
    }
}

impl Dialect for Codex {
    fn start(&mut self, fx: &mut Effects) {
        let characters = self.prompt.chars().count();
        if characters > MAX_PROMPT {
            let words = format!(
                "the message has {characters} characters, and it takes at most {MAX_PROMPT}. Send it as a file"
            );
            return self.finish(failed(Reason::RefusedByPolicy, &words, String::new()), fx);
        }
        if let Some(id) = self.resume.as_deref().filter(|id| !spec::is_uuid(id)) {
            let words = format!("`{id}` is not a thread id");
            return self.finish(failed(Reason::StaleSession, &words, String::new()), fx);
        }
        fx.stdin.push(std::mem::take(&mut self.prompt));
    }

    fn line(&mut self, line: &str, fx: &mut Effects) {
        let Some(value) = object(line) else { return self.stray.line(line, fx) };
        fx.alive = true;
        match string(&value, "type") {
            "thread.started" => {
                let id = string(&value, "thread_id");
                if spec::is_uuid(id) {
                    fx.events.push(AgentEvent::Session(id.to_owned()));
                }
            }
            "turn.started" => fx.events.push(AgentEvent::Started),
            "item.started" => self.item(&value["item"], false, fx),
            "item.completed" => self.item(&value["item"], true, fx),
            "error" => {
                let message = string(&value, "message");
                self.complaint = message.to_owned();
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
                let outcome = match self.answer.take().filter(|text| !text.trim().is_empty()) {
                    Some(text) => Outcome::Done(text),
                    None => failed(Reason::NoOutput, "", self.said.text()),
                };
                self.finish(outcome, fx);
            }
            "turn.failed" => {
                let message = string(&value["error"], "message");
                let reason = classify::provider(message, self.resume.is_some());
                self.finish(failed(reason, message, self.said.text()), fx);
            }
            _ => {}
        }
    }

    fn end(&mut self, exit: Exit, stderr_tail: &str, fx: &mut Effects) {
        let outcome = unsaid(exit, &self.complaint, &self.stray, stderr_tail, self.said.text());
        self.finish(outcome, fx);
    }

    fn partial(&self) -> String {
        self.said.text()
    }

    fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::words(&self.complaint).or_else(|| classify::tail(stderr_tail).map(|(reason, _)| reason))
    }
}
