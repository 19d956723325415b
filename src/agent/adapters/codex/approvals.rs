//! Translates requests of the app-server into permission requests, and decisions into its responses. Pure.
//!
//! Its preset for a mode permits what the mode is named for, so a request is always for more. An elicitation of an MCP
//! server is a form (`agent/elicitation.rs`).

use crate::agent::adapters::codex::items;
use crate::agent::dialect::{array_items, one_line_title, string_field, strip_shell_wrapper};
use crate::agent::elicitation;
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest};
use crate::config::Mode;
use serde_json::{Value, json};

/// Reads a request; `item` is the file change that it may be about. `None`: the connector cannot answer it.
pub(super) fn read(message: &Value, item: &Value, changes: String, mode: Mode) -> Option<PermissionRequest> {
    let params = &message["params"];
    let reason = string_field(params, "reason");
    let id = &message["id"];
    let mut ask = PermissionRequest {
        id: id.to_string(),
        kind: PermissionKind::Other,
        tool: String::new(),
        title: one_line_title(reason),
        detail: reason.to_owned(),
        subjects: Vec::new(),
        can_allow_session: true,
        choices: Vec::new(),
        answer_count: 1,
    };
    match string_field(message, "method") {
        "item/commandExecution/requestApproval" => {
            let command = string_field(params, "command");
            let host = string_field(&params["networkApprovalContext"], "host");
            let bare = strip_shell_wrapper(command);
            (ask.tool, ask.kind, ask.title) = match host {
                "" => ("shell".to_owned(), PermissionKind::Command, one_line_title(&bare)),
                host => ("network".to_owned(), PermissionKind::Fetch, one_line_title(host)),
            };
            ask.subjects.push(if host.is_empty() { bare } else { host.to_owned() });
            ask.detail = join(command, reason);
        }
        "item/fileChange/requestApproval" => {
            ask.tool = "apply_patch".to_owned();
            ask.kind = if mode == Mode::AutoEdit { PermissionKind::Other } else { PermissionKind::Edit };
            ask.title = changes;
            ask.subjects = items::paths(item);
            ask.detail = join(&items::diff(item), reason);
        }
        "item/permissions/requestApproval" => {
            ask.tool = "permissions".to_owned();
            ask.detail = join(&params["permissions"].to_string(), reason);
        }
        "item/tool/requestUserInput" => {
            question(&mut ask, &params["questions"]);
            ask.tool = "request_user_input".to_owned();
        }
        ELICITATION => {
            ask = elicitation::elicitation_request(id, params, SCHEMA);
            ask.tool = string_field(params, "serverName").to_owned();
        }
        _ => return None,
    }
    Some(ask)
}

/// The method of an elicitation of an MCP server.
const ELICITATION: &str = "mcpServer/elicitation/request";

/// The member of its parameters that holds the form.
const SCHEMA: &str = "requestedSchema";

/// Two texts as two paragraphs; an empty one counts as nothing.
pub(in crate::agent) fn join(first: &str, second: &str) -> String {
    if first.is_empty() || second.is_empty() {
        return [first, second].concat();
    }
    [first, "\n\n", second].concat()
}

/// Adds questions with choices, as codex and claude write them: the first as title, all of them as detail.
pub(in crate::agent) fn question(ask: &mut PermissionRequest, questions: &Value) {
    ask.kind = PermissionKind::Question;
    ask.can_allow_session = false;
    ask.detail.clear();
    let questions = array_items(questions);
    ask.answer_count = questions.len();
    for question in questions {
        ask.detail = join(&ask.detail, string_field(question, "question"));
        for option in array_items(&question["options"]) {
            let label = string_field(option, "label");
            for part in ["\n- ", label, ": ", string_field(option, "description")] {
                ask.detail.push_str(part);
            }
            if questions.len() == 1 {
                ask.choices.push(label.to_owned());
            }
        }
    }
    ask.title =
        questions.first().map(|first| one_line_title(string_field(first, "question"))).unwrap_or_default();
}

/// The part of an answer for one of several questions: one line for each question, or the whole text for every one.
pub(in crate::agent) fn words_for(words: &str, at: usize, questions: usize) -> &str {
    elicitation::split_answers(words, questions).and_then(|parts| parts.get(at).copied()).unwrap_or(words)
}

/// The answer to one question: a number stands for the choice at that place.
pub(in crate::agent) fn label_for<'a>(question: &'a Value, words: &'a str) -> &'a str {
    let at = words.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let label = at.and_then(|at| question["options"].get(at)).map(|option| string_field(option, "label"));
    label.filter(|label| !label.is_empty()).unwrap_or(words)
}

/// The `result` of a request that [`read`] has read; the error says why the answer does not fit.
pub(super) fn result(message: &Value, decision: &Decision) -> Result<Value, String> {
    let params = &message["params"];
    let allowed = matches!(decision, Decision::Allow | Decision::AllowSession);
    Ok(match string_field(message, "method") {
        "item/permissions/requestApproval" => {
            let granted = if allowed { params["permissions"].clone() } else { json!({}) };
            let scope = if *decision == Decision::AllowSession { "session" } else { "turn" };
            json!({ "permissions": granted, "scope": scope })
        }
        "item/tool/requestUserInput" => {
            let mut answers = serde_json::Map::new();
            let questions = array_items(&params["questions"]);
            for (at, question) in questions.iter().enumerate() {
                let Decision::Answer(words) = decision else { break };
                let words = label_for(question, words_for(words, at, questions.len()));
                answers.insert(string_field(question, "id").to_owned(), json!({ "answers": [words] }));
            }
            json!({ "answers": answers })
        }
        ELICITATION => elicitation::elicitation_response(params, SCHEMA, decision)?,
        _ => {
            let word = match decision {
                Decision::Allow => "accept",
                Decision::AllowSession => "acceptForSession",
                Decision::Deny(_) | Decision::Answer(_) => "decline",
                Decision::DenyAndStop => "cancel",
            };
            json!({ "decision": word })
        }
    })
}
