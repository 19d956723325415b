//! Requests of Cursor over ACP that are its own methods: questions with choices (`cursor/ask_question`) and the approval of
//! its plan (`cursor/create_plan`). As documented and as its other clients answer (releases of 2026); the CLI could not be
//! run here. Pure.

use crate::agent::dialect::{array_items, one_line_title, string_field};
use crate::agent::elicitation;
use crate::agent::elicitation::ElicitationForm;
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest};
use serde_json::{Map, Value, json};

/// The permission request, with its form unless it is for a plan. `None`: another method. The error says why nobody can be
/// asked.
pub(crate) fn read(
    method: &str,
    id: &Value,
    params: &Value,
) -> Option<Result<(Option<ElicitationForm>, PermissionRequest), &'static str>> {
    match method {
        "cursor/ask_question" => {
            let words = string_field(params, "title");
            let words = if words.is_empty() { "It has a question." } else { words };
            Some(
                elicitation::parse_form(id, words, &schema(params))
                    .map(|(form, request)| (Some(form), request)),
            )
        }
        "cursor/create_plan" => {
            // A text to approve, as the address of an elicitation is.
            let mut request = elicitation::elicitation_request(
                id,
                &json!({ "mode": "url", "url": string_field(params, "plan") }),
                "",
            );
            request.kind = PermissionKind::Plan;
            request.tool = "create_plan".to_owned();
            let name = one_line_title(string_field(params, "name"));
            request.title = if name.is_empty() { "begin with the plan".to_owned() } else { name };
            Some(Ok((None, request)))
        }
        _ => None,
    }
}

/// The questions as a form. The fields are named by their positions, which keeps their order.
fn schema(params: &Value) -> Value {
    let mut fields = Map::new();
    let mut required: Vec<String> = Vec::new();
    for (at, question) in array_items(&params["questions"]).iter().enumerate() {
        let mut options: Vec<Value> = Vec::new();
        for option in array_items(&question["options"]) {
            options
                .push(json!({ "const": string_field(option, "id"), "title": string_field(option, "label") }));
        }
        let words = string_field(question, "prompt");
        let field = match question["allowMultiple"] == true {
            true => json!({ "type": "array", "title": words, "items": { "anyOf": options } }),
            false => json!({ "type": "string", "title": words, "oneOf": options }),
        };
        let name = field_name(at);
        required.push(name.clone());
        fields.insert(name, field);
    }
    json!({ "properties": fields, "required": required })
}

fn field_name(at: usize) -> String {
    format!("{at:03}")
}

/// The result for Cursor; the error says why the answer does not fit.
pub(crate) fn result(
    params: &Value,
    form: Option<&ElicitationForm>,
    ask: &PermissionRequest,
    decision: &Decision,
) -> Result<Value, String> {
    let mut outcome = Map::new();
    let mut set = |key: &str, value: Value| outcome.insert(key.to_owned(), value);
    let filled = form.map(|form| form.result(ask, decision)).transpose()?.unwrap_or_default();
    let word = match (decision, filled.get("content")) {
        (_, Some(content)) => {
            let mut answers: Vec<Value> = Vec::new();
            for (at, question) in array_items(&params["questions"]).iter().enumerate() {
                let chosen = &content[field_name(at).as_str()];
                let ids = if chosen.is_array() { chosen.clone() } else { Value::Array(vec![chosen.clone()]) };
                answers.push(json!({ "questionId": string_field(question, "id"), "selectedOptionIds": ids }));
            }
            set("answers", Value::Array(answers));
            "answered"
        }
        (Decision::DenyAndStop, _) => "cancelled",
        (Decision::Allow | Decision::AllowSession, _) if form.is_none() => "accepted",
        (Decision::Deny(words) | Decision::Answer(words), _) => {
            set("reason", words.as_str().into());
            if form.is_none() { "rejected" } else { "skipped" }
        }
        _ => "skipped",
    };
    set("outcome", word.into());
    Ok(json!({ "outcome": outcome }))
}
