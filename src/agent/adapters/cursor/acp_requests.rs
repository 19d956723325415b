//! What Cursor asks over ACP by methods of its own: questions with choices (`cursor/ask_question`) and whether its plan is
//! good (`cursor/create_plan`); it waits for both. As documented and as its other clients answer it (releases of 2026);
//! it could not be run where this was written. Pure.

use crate::agent::dialect::{array_items, one_line_title, string_field};
use crate::agent::elicitation;
use crate::agent::elicitation::ElicitationForm;
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest};
use serde_json::{Map, Value, json};

/// The question, with its form unless it is about a plan. `None`: another method. The error says why nobody can be asked.
pub(crate) fn read(
    method: &str,
    id: &Value,
    params: &Value,
) -> Option<Result<(Option<ElicitationForm>, PermissionRequest), &'static str>> {
    match method {
        "cursor/ask_question" => {
            let words = string_field(params, "title");
            let words = if words.is_empty() { "It has a question." } else { words };
            Some(elicitation::parse_form(id, words, &schema(params)).map(|(form, ask)| (Some(form), ask)))
        }
        "cursor/create_plan" => {
            // words that are said yes or no to, like an address
            let mut ask = elicitation::elicitation_request(
                id,
                &json!({ "mode": "url", "url": string_field(params, "plan") }),
                "",
            );
            ask.kind = PermissionKind::Plan;
            ask.tool = "create_plan".to_owned();
            let name = one_line_title(string_field(params, "name"));
            ask.title = if name.is_empty() { "begin with the plan".to_owned() } else { name };
            Some(Ok((None, ask)))
        }
        _ => None,
    }
}

/// Its questions as a form; the fields are named by their places, which keeps their order.
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
        let name = place(at);
        required.push(name.clone());
        fields.insert(name, field);
    }
    json!({ "properties": Value::Object(fields), "required": required })
}

fn place(at: usize) -> String {
    format!("{at:03}")
}

/// What is answered; `filled` is the form's content. The error says what in the answer does not fit.
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
                let chosen = &content[place(at).as_str()];
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
    Ok(json!({ "outcome": Value::Object(outcome) }))
}
