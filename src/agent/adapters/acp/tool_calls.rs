//! The tool calls of a turn: merges the updates of a call, and reports its beginning and its end once. Pure.

use crate::agent::adapters::acp::quirks::KINDS;
use crate::agent::dialect::{DialectEffects, command_title, one_line_title, string_field};
use crate::agent::{AgentEvent, ToolKind};
use crate::json;
use serde_json::Value;
use std::collections::BTreeMap;

/// Tool calls that are kept at once, so that memory stays bounded. With more of them all are dropped: the first ones have
/// ended long before.
const MAX_TOOL_CALLS: usize = 1000;

/// One call.
#[derive(Debug, Default)]
pub struct AcpToolCall {
    /// The protocol's kind: `execute`, `edit` and so on.
    pub kind: String,
    /// The command or the main argument, as far as it is known.
    pub title: String,
    /// The first title, often only the name of the tool; the argument follows in an update.
    first: String,
    is_search: bool,
    announced: bool,
    ended: bool,
}

/// All calls of a turn by their ids.
#[derive(Debug, Default)]
pub struct ToolCalls {
    table: BTreeMap<String, AcpToolCall>,
    /// Whether any of them has succeeded.
    pub worked: bool,
}

impl ToolCalls {
    /// The call with this id.
    pub fn get(&self, id: &str) -> Option<&AcpToolCall> {
        self.table.get(id)
    }

    /// Merges a `tool_call`, a `tool_call_update`, or the `toolCall` of a permission request (`is_request`): fields that the
    /// message does not contain stay.
    pub fn update(&mut self, call: &Value, is_request: bool, effects: &mut DialectEffects) {
        let id = string_field(call, "toolCallId");
        if self.table.len() >= MAX_TOOL_CALLS {
            self.table.clear();
        }
        let tool = self.table.entry(id.to_owned()).or_default();
        let kind = string_field(call, "kind");
        if !kind.is_empty() {
            kind.clone_into(&mut tool.kind);
        }
        if tool.kind.is_empty() {
            let word = string_field(call, "title").split([':', ' ']).next().unwrap_or_default();
            let known = KINDS.iter().find(|row| row.0 == word).map_or("", |row| row.1);
            known.clone_into(&mut tool.kind);
        }
        let name = string_field(call, "name");
        tool.is_search |= matches!(name, "WebSearch" | "web_search" | "google_web_search");
        let command = shell_command(call);
        let said = string_field(call, "title");
        if !command.is_empty() {
            tool.title = command_title(&command);
        } else if tool.first.is_empty() {
            tool.first = one_line_title(said);
            tool.title.clone_from(&tool.first);
        } else if !said.is_empty() && one_line_title(said) != tool.first {
            tool.title = one_line_title(said);
        }
        let status = string_field(call, "status");
        let has_ended = matches!(status, "completed" | "failed");
        // Until the tool runs, the first title is often only its name.
        let is_name = said.is_empty() || KINDS.iter().any(|row| row.0 == said);
        let is_known = tool.title != tool.first || has_input(call) || (status == "in_progress" && !is_name);
        if !tool.announced && (is_known || has_ended || is_request) {
            tool.announced = true;
            let kind = match tool.kind.as_str() {
                "execute" => ToolKind::Command,
                _ if tool.is_search => ToolKind::WebSearch,
                _ => ToolKind::Tool,
            };
            let title = if tool.title.is_empty() { tool.kind.clone() } else { tool.title.clone() };
            effects.tool(id, (kind, title));
        }
        if has_ended && !tool.ended {
            tool.ended = true;
            let ok = status == "completed" && exit_code(call) == 0;
            self.worked |= ok;
            effects.events.push(AgentEvent::ToolEnd { id: id.to_owned(), ok });
        }
    }
}

/// The command of a shell call: in the input or, from kimi, in the input as text.
pub fn shell_command(call: &Value) -> String {
    let input = &call["rawInput"]["command"];
    match input {
        Value::String(command) => command.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => {
            let text = string_field(&call["content"][0]["content"], "text");
            let input = if text.starts_with('{') { json::parse(text).ok() } else { None };
            input.map(|input| string_field(&input, "command").to_owned()).unwrap_or_default()
        }
    }
}

/// Whether the input has more than the working directory.
fn has_input(call: &Value) -> bool {
    call["rawInput"].as_object().is_some_and(|input| input.keys().any(|key| key != "cwd"))
}

/// The exit code of a command: codex-acp and opencode report every command as completed.
fn exit_code(call: &Value) -> i64 {
    let places = [&call["_meta"]["terminal_exit"]["exit_code"], &call["rawOutput"]["metadata"]["exit"]];
    places.into_iter().find_map(Value::as_i64).unwrap_or(0)
}
