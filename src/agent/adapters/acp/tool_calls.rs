//! Tool calls of a turn: from updates that come in pieces to one beginning and one end each. Pure.

use crate::agent::adapters::acp::quirks::KINDS;
use crate::agent::dialect::{DialectEffects, command_title, one_line_title, string_field};
use crate::agent::{AgentEvent, ToolKind};
use crate::json;
use serde_json::Value;
use std::collections::BTreeMap;

/// So many are remembered at once. A turn with more has long forgotten the first ones.
const MAX_TOOLS: usize = 1000;

/// One call.
#[derive(Debug, Default)]
pub struct Tool {
    /// The protocol's kind: `execute`, `edit` and so on.
    pub kind: String,
    /// What it is about, as far as it is known.
    pub title: String,
    /// The name that came first; agents say what it is about a moment later.
    first: String,
    is_search: bool,
    announced: bool,
    ended: bool,
}

/// All calls of a turn by their ids.
#[derive(Debug, Default)]
pub struct Tools {
    table: BTreeMap<String, Tool>,
    /// Whether any of them has worked.
    pub worked: bool,
}

impl Tools {
    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Tool> {
        self.table.get(id)
    }

    /// Takes a `tool_call`, a `tool_call_update`, or the `toolCall` of a permission request: what a message does not say
    /// stays as it was.
    pub fn update(&mut self, call: &Value, asked: bool, effects: &mut DialectEffects) {
        let id = string_field(call, "toolCallId");
        if self.table.len() >= MAX_TOOLS {
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
        let command = command(call);
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
        let over = matches!(status, "completed" | "failed");
        // A title that is still the first one is often only the tool's name, until it runs.
        let is_name = said.is_empty() || KINDS.iter().any(|row| row.0 == said);
        let told = tool.title != tool.first || has_input(call) || (status == "in_progress" && !is_name);
        if !tool.announced && (told || over || asked) {
            tool.announced = true;
            let kind = match tool.kind.as_str() {
                "execute" => ToolKind::Command,
                _ if tool.is_search => ToolKind::WebSearch,
                _ => ToolKind::Tool,
            };
            let title = if tool.title.is_empty() { tool.kind.clone() } else { tool.title.clone() };
            effects.events.push(AgentEvent::Tool { id: id.to_owned(), kind, title });
        }
        if over && !tool.ended {
            tool.ended = true;
            let ok = status == "completed" && exit_code(call) == 0;
            self.worked |= ok;
            effects.events.push(AgentEvent::ToolEnd { id: id.to_owned(), ok });
        }
    }
}

/// The command of a shell call, in the places where agents put it: the input, or (kimi) the input as text.
pub fn command(call: &Value) -> String {
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

/// The working directory alone says nothing.
fn has_input(call: &Value) -> bool {
    call["rawInput"].as_object().is_some_and(|input| input.keys().any(|key| key != "cwd"))
}

/// codex-acp and opencode call a command completed whatever its exit code was.
fn exit_code(call: &Value) -> i64 {
    let places = [&call["_meta"]["terminal_exit"]["exit_code"], &call["rawOutput"]["metadata"]["exit"]];
    places.into_iter().find_map(Value::as_i64).unwrap_or(0)
}
