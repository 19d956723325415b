//! Translates `can_use_tool` and `elicitation` requests into permission requests, and decisions into responses
//! (`tests/fixtures/claude-code-stream`). Pure.

use crate::agent::adapters::codex::approvals::{label_for, question, words_for};
use crate::agent::dialect::{array_items, describe_tool_call, string_field};
use crate::agent::elicitation;
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest};
use crate::config::Mode;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// Reads a request. `plan` is the plan that the agent wrote last: the request may not repeat it.
pub(super) fn read(id: &str, request: &Value, mode: Mode, workdir: &Path, plan: &str) -> PermissionRequest {
    if is_form(request) {
        let mut ask = elicitation::elicitation_request(&Value::Null, request, SCHEMA);
        ask.id = id.to_owned();
        ask.tool = string_field(request, "mcp_server_name").to_owned();
        return ask;
    }
    let tool = string_field(request, "tool_name");
    let input = &request["input"];
    let mut ask = PermissionRequest {
        id: id.to_owned(),
        kind: PermissionKind::Other,
        tool: tool.to_owned(),
        title: describe_tool_call(tool, input, workdir).1,
        detail: String::new(),
        subjects: Vec::new(),
        can_allow_session: !updates(request).is_empty(),
        choices: Vec::new(),
        answer_count: 1,
    };
    match tool {
        "Bash" => {
            ask.kind = PermissionKind::Command;
            string_field(input, "command").clone_into(&mut ask.detail);
            ask.subjects.push(ask.detail.clone());
        }
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => {
            // In auto-edit, `acceptEdits` permits ordinary edits: a request is for a file outside, or for one that
            // controls other programs (`.git/config`).
            ask.kind = if mode == Mode::AutoEdit { PermissionKind::Other } else { PermissionKind::Edit };
            ask.detail = diff(input);
            let paths = ["file_path", "notebook_path"].into_iter().map(|key| string_field(input, key));
            ask.subjects.extend(paths.filter(|path| !path.is_empty()).map(str::to_owned));
        }
        "WebFetch" | "WebSearch" => {
            ask.kind = PermissionKind::Fetch;
            ask.detail = input.to_string();
            let about = [string_field(input, "url"), string_field(input, "query")].concat();
            ask.subjects.push(about);
        }
        "AskUserQuestion" => question(&mut ask, &input["questions"]),
        "ExitPlanMode" => {
            ask.kind = PermissionKind::Plan;
            "begin with the plan".clone_into(&mut ask.title);
            let own = string_field(input, "plan");
            ask.detail = if own.is_empty() { plan } else { own }.to_owned();
        }
        _ => {
            // A reading tool asks because the file is outside.
            let path =
                ["file_path", "path"].into_iter().map(|key| string_field(input, key)).find(|p| !p.is_empty());
            ask.subjects.extend(path.map(str::to_owned));
            ask.detail = input.to_string();
        }
    }
    let reason = string_field(request, "decision_reason");
    if !reason.is_empty() {
        ask.detail = [ask.detail.trim_end(), "\n\n", reason].concat();
    }
    ask
}

/// The file, and the lines that an edit removes and adds.
fn diff(input: &Value) -> String {
    let mut out = [string_field(input, "file_path"), string_field(input, "notebook_path"), "\n"].concat();
    let edits = input["edits"].as_array().map(Vec::as_slice);
    for edit in edits.unwrap_or(std::slice::from_ref(input)) {
        for (sign, key) in [("-", "old_string"), ("+", "new_string"), ("+", "content"), ("+", "new_source")] {
            for line in string_field(edit, key).lines() {
                let _ = writeln!(out, "{sign}{line}");
            }
        }
    }
    out
}

/// The rules that claude suggests for "always", limited to the session: they stay in the process and are never written to
/// a file. The mode that permits all edits is accepted for edits only.
fn updates(request: &Value) -> Vec<Value> {
    let is_edit = request["input"].get("file_path").is_some();
    let mut out = Vec::new();
    for suggestion in array_items(&request["permission_suggestions"]) {
        let is_accepted = match string_field(suggestion, "type") {
            "addRules" => string_field(suggestion, "behavior") == "allow",
            "setMode" => is_edit && string_field(suggestion, "mode") == "acceptEdits",
            "addDirectories" => is_edit,
            _ => false,
        };
        if is_accepted {
            let mut own = suggestion.clone();
            own["destination"] = "session".into();
            out.push(own);
        }
    }
    out
}

/// The member of an elicitation that holds the form.
const SCHEMA: &str = "requested_schema";

/// Whether an MCP server asks for information.
pub(super) fn is_form(request: &Value) -> bool {
    string_field(request, "subtype") == "elicitation"
}

/// The `response` to a request; the error says why the answer does not fit.
pub(super) fn response(request: &Value, decision: &Decision) -> Result<Value, String> {
    if is_form(request) {
        return elicitation::elicitation_response(request, SCHEMA, decision);
    }
    let mut input = request["input"].clone();
    let is_question = string_field(request, "tool_name") == "AskUserQuestion";
    let deny = |words: &str| json!({ "behavior": "deny", "message": words });
    Ok(match decision {
        Decision::Allow => json!({ "behavior": "allow", "updatedInput": input }),
        Decision::AllowSession => {
            let updates = Value::Array(updates(request));
            json!({ "behavior": "allow", "updatedInput": input, "updatedPermissions": updates })
        }
        Decision::Answer(words) if is_question => {
            let mut answers = serde_json::Map::new();
            let questions = array_items(&input["questions"]);
            for (at, question) in questions.iter().enumerate() {
                let words = label_for(question, words_for(words, at, questions.len()));
                answers.insert(string_field(question, "question").to_owned(), words.into());
            }
            if input.is_object() {
                input["answers"] = answers.into();
            }
            json!({ "behavior": "allow", "updatedInput": input })
        }
        Decision::Deny(words) | Decision::Answer(words) => deny(words),
        Decision::DenyAndStop => {
            json!({ "behavior": "deny", "message": "The user has stopped this.", "interrupt": true })
        }
    })
}
