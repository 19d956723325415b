//! The items of a codex turn, in either transport: messages, reasoning, tool calls. Pure.
//!
//! `exec` writes names in snake case, the app-server in camel case; they mean the same.

use crate::agent::dialect::{
    DialectEffects, array_items, command_title, failure_detail, one_line_title, string_field,
};
use crate::agent::one_shot::OneShotState;
use crate::agent::{AgentEvent, ToolKind, TurnRequest};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// The items of one turn.
#[derive(Debug)]
pub(super) struct TurnItems {
    pub(super) turn: OneShotState,
    /// The last whole message: the answer, if the turn completes.
    pub(super) answer: Option<String>,
    /// Ids of the tool calls that run.
    open: BTreeSet<String>,
    /// Id of the message that comes in pieces; the whole message is not reported again.
    streaming: String,
}

impl TurnItems {
    pub(super) fn new(request: &TurnRequest) -> Self {
        let turn = OneShotState::new(request);
        Self { turn, answer: None, open: BTreeSet::new(), streaming: String::new() }
    }

    /// Codex complains, and may try again.
    pub(super) fn complain(&mut self, message: &str, is_retry: bool, effects: &mut DialectEffects) {
        message.clone_into(&mut self.turn.complaint);
        if is_retry {
            effects.events.push(AgentEvent::Retry(failure_detail(message)));
        }
    }

    /// An item has begun or is complete.
    pub(super) fn item(&mut self, item: &Value, completed: bool, effects: &mut DialectEffects) {
        let kind = string_field(item, "type");
        match kind {
            "agent_message" | "agentMessage" if completed => {
                let text = string_field(item, "text");
                self.answer = Some(text.to_owned());
                if string_field(item, "id") != self.streaming || self.streaming.is_empty() {
                    self.turn.message(text, effects);
                }
            }
            // Empty from the app-server, which has sent it in pieces.
            "reasoning" if completed => effects.thought(string_field(item, "text")),
            // A warning, not a failure.
            "error" => return effects.note(&failure_detail(string_field(item, "message"))),
            "agent_message" | "agentMessage" | "reasoning" | "todo_list" | "plan" | "userMessage"
            | "hookPrompt" | "functionCallOutput" | "contextCompaction" | "" => return,
            _ => self.tool(item, kind, completed, effects),
        }
        self.turn.complaint.clear();
    }

    /// A piece of a message.
    pub(super) fn piece(&mut self, id: &str, text: &str, effects: &mut DialectEffects) {
        if self.streaming != id {
            id.clone_into(&mut self.streaming);
            self.turn.new_message();
        }
        self.turn.text(text, effects);
    }

    fn tool(&mut self, item: &Value, kind: &str, completed: bool, effects: &mut DialectEffects) {
        let id = string_field(item, "id").to_owned();
        if self.open.insert(id.clone()) {
            effects.tool(&id, self.describe(item, kind));
        }
        if completed {
            self.open.remove(&id);
            let exit = item.get("exit_code").or_else(|| item.get("exitCode")).and_then(Value::as_i64);
            let status = string_field(item, "status");
            let ok = exit.unwrap_or(0) == 0 && matches!(status, "" | "completed");
            self.turn.tool_end(id, ok, effects);
            // Only from `exec`: with the app-server a person has declined.
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

    /// The title of a file change: "add note.txt, update src/main.rs".
    pub(super) fn changes(&self, item: &Value) -> String {
        let parts = changes(item).iter().map(|change| {
            let path = Path::new(string_field(change, "path"));
            let path = path.strip_prefix(&self.turn.workdir).unwrap_or(path);
            format!("{} {}", change_kind(change), path.display())
        });
        one_line_title(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// The changes of a file change.
fn changes(item: &Value) -> &[Value] {
    array_items(&item["changes"])
}

/// The files that a file change touches, and their new places if it moves them.
pub(super) fn paths(item: &Value) -> Vec<String> {
    let both = |change| [string_field(change, "path"), string_field(&change["kind"], "move_path")];
    changes(item).iter().flat_map(both).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// `add`, `update` or `delete`.
fn change_kind(change: &Value) -> &str {
    let kind = &change["kind"];
    kind.as_str().unwrap_or_else(|| string_field(kind, "type"))
}

/// All changes as one diff. Of new and deleted files codex sends the content without signs.
pub(super) fn diff(item: &Value) -> String {
    let mut out = String::new();
    for change in changes(item) {
        let kind = change_kind(change);
        let sign = match kind {
            "add" => "+",
            "delete" => "-",
            _ => "",
        };
        let _ = writeln!(out, "{kind} {}", string_field(change, "path"));
        for line in string_field(change, "diff").lines() {
            let _ = writeln!(out, "{sign}{line}");
        }
    }
    out
}
