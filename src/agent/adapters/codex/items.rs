//! What codex tells of a turn's work, in either transport: messages, reasoning, tool calls. Pure.
//!
//! `exec` writes names with underscores, the app-server in camel case; they mean the same.

use crate::agent::dialect::{
    DialectEffects, TextCollector, command_title, failure_detail, one_line_title, string_field,
};
use crate::agent::{AgentEvent, ToolKind, TurnRequest};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The items of one turn.
#[derive(Debug, Default)]
pub(super) struct Items {
    workdir: PathBuf,
    pub(super) said: TextCollector,
    /// The last whole message: the answer, if the turn completes.
    pub(super) answer: Option<String>,
    /// What it complained about last, until work goes on.
    pub(super) complaint: String,
    open: BTreeSet<String>,
    /// Whether a tool call has succeeded.
    pub(super) worked: bool,
    /// The message that comes in pieces; it is not told again when it is whole.
    streaming: String,
}

impl Items {
    pub(super) fn new(request: &TurnRequest) -> Self {
        Self { workdir: request.workdir.clone(), ..Self::default() }
    }

    /// An item has begun or is complete.
    pub(super) fn item(&mut self, item: &Value, completed: bool, effects: &mut DialectEffects) {
        let kind = string_field(item, "type");
        match kind {
            "agent_message" | "agentMessage" if completed => {
                let text = string_field(item, "text");
                self.answer = Some(text.to_owned());
                if string_field(item, "id") != self.streaming || self.streaming.is_empty() {
                    self.said.push_message(text);
                    effects.events.push(AgentEvent::Text(text.to_owned()));
                }
            }
            "reasoning" if completed => {
                let text = string_field(item, "text"); // the app-server has told it in pieces
                if !text.is_empty() {
                    effects.events.push(AgentEvent::Thought(text.to_owned()));
                }
            }
            // A warning, not a failure.
            "error" => {
                return effects.events.push(AgentEvent::Note(failure_detail(string_field(item, "message"))));
            }
            "agent_message" | "agentMessage" | "reasoning" | "todo_list" | "plan" | "userMessage"
            | "hookPrompt" | "functionCallOutput" | "contextCompaction" | "" => return,
            _ => self.tool(item, kind, completed, effects),
        }
        self.complaint.clear();
    }

    /// A piece of a message.
    pub(super) fn piece(&mut self, id: &str, text: &str, effects: &mut DialectEffects) {
        self.complaint.clear();
        if self.streaming == id {
            self.said.push_delta(text);
        } else {
            id.clone_into(&mut self.streaming);
            self.said.push_message(text);
        }
        effects.events.push(AgentEvent::Text(text.to_owned()));
    }

    fn tool(&mut self, item: &Value, kind: &str, completed: bool, effects: &mut DialectEffects) {
        let id = string_field(item, "id").to_owned();
        if self.open.insert(id.clone()) {
            let (kind, title) = self.describe(item, kind);
            effects.events.push(AgentEvent::Tool { id: id.clone(), kind, title });
        }
        if completed {
            self.open.remove(&id);
            let exit = item.get("exit_code").or_else(|| item.get("exitCode")).and_then(Value::as_i64);
            let status = string_field(item, "status");
            let ok = exit.unwrap_or(0) == 0 && matches!(status, "" | "completed");
            self.worked |= ok;
            effects.events.push(AgentEvent::ToolEnd { id, ok });
            // The app-server has asked, and who answered has said so.
            if status == "declined" && kind.contains('_') {
                effects.events.push(AgentEvent::Denied(self.describe(item, kind).1));
            }
        }
    }

    fn describe(&self, item: &Value, kind: &str) -> (ToolKind, String) {
        match kind {
            "command_execution" | "commandExecution" => {
                (ToolKind::Command, command_title(string_field(item, "command")))
            }
            "web_search" | "webSearch" => {
                let query = string_field(item, "query");
                (ToolKind::WebSearch, one_line_title(if query.is_empty() { "web search" } else { query }))
            }
            "file_change" | "fileChange" => (ToolKind::Tool, self.changes(item)),
            "mcp_tool_call" | "mcpToolCall" => (
                ToolKind::Tool,
                one_line_title(&format!("{}.{}", string_field(item, "server"), string_field(item, "tool"))),
            ),
            other => {
                let tool = string_field(item, "tool");
                (ToolKind::Tool, one_line_title(if tool.is_empty() { other } else { tool }))
            }
        }
    }

    /// "add note.txt, update src/main.rs"
    pub(super) fn changes(&self, item: &Value) -> String {
        let parts = changes(item).iter().map(|change| {
            let path = Path::new(string_field(change, "path"));
            let path = path.strip_prefix(&self.workdir).unwrap_or(path);
            format!("{} {}", change_kind(change), path.display())
        });
        one_line_title(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// The changes of a file change.
fn changes(item: &Value) -> &[Value] {
    item.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The files that a file change touches, also those that it moves them to.
pub(super) fn paths(item: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for change in changes(item) {
        let moved = string_field(&change["kind"], "move_path");
        out.extend(
            [string_field(change, "path"), moved].into_iter().filter(|p| !p.is_empty()).map(str::to_owned),
        );
    }
    out
}

/// `add`, `update` or `delete`.
fn change_kind(change: &Value) -> &str {
    let kind = &change["kind"];
    kind.as_str().unwrap_or_else(|| string_field(kind, "type"))
}

/// All changes as one diff. For new and deleted files codex gives the bare content.
pub(super) fn diff(item: &Value) -> String {
    let mut out = String::new();
    for change in changes(item) {
        let kind = change_kind(change);
        let sign = match kind {
            "add" => "+",
            "delete" => "-",
            _ => "",
        };
        for part in [kind, " ", string_field(change, "path"), "\n"] {
            out.push_str(part);
        }
        for line in string_field(change, "diff").lines() {
            for part in [sign, line, "\n"] {
                out.push_str(part);
            }
        }
    }
    out
}
