//! Elicitation: forms that an agent wants the user to fill in (ACP `elicitation/create`; MCP elicitation, which codex and
//! claude pass on). A form becomes one question, and the words of the answer become the form's content. Pure.

use crate::agent::dialect::{array_items, one_line_title, string_field};
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest};
use serde_json::{Map, Value, json};

/// Fields of one form. Nobody fills in more of them in a chat.
const MAX_FIELDS: usize = 12;
/// Bytes of one form. It is kept in memory until it is answered.
const MAX_SCHEMA: usize = 64 << 10;

/// Words for yes and no, as the question offers them and as people write them.
const YES: &[&str] = &["yes", "true", "y", "ok", "是", "好"];
const NO: &[&str] = &["no", "false", "n", "否", "不"];

/// What a field accepts.
#[derive(Debug)]
enum FieldKind {
    Text,
    Number,
    Integer,
    Boolean,
    /// One of these options, each a label and a value.
    Choice(Vec<(String, String)>),
    /// Any number of these options.
    MultiChoice(Vec<(String, String)>),
}

#[derive(Debug)]
struct FormField {
    name: String,
    kind: FieldKind,
    required: bool,
    /// The name of the field for an answer that is none of the options.
    other: Option<String>,
}

/// A form that waits for an answer.
#[derive(Debug)]
pub struct ElicitationForm {
    fields: Vec<FormField>,
}

/// Parses a form, and makes one question of it. The error says why nobody can be asked.
pub fn parse_form(
    id: &Value,
    message: &str,
    schema: &Value,
) -> Result<(ElicitationForm, PermissionRequest), &'static str> {
    if schema.to_string().len() > MAX_SCHEMA {
        return Err("the form is too large");
    }
    let mut ask = PermissionRequest {
        id: id.to_string(),
        kind: PermissionKind::Question,
        tool: "form".to_owned(),
        title: one_line_title(message),
        detail: message.to_owned(),
        subjects: Vec::new(),
        can_allow_session: false,
        choices: Vec::new(),
        answer_count: 1,
    };
    let mut fields: Vec<FormField> = Vec::new();
    let nothing = Map::new();
    for (name, about) in schema["properties"].as_object().unwrap_or(&nothing) {
        let required = array_items(&schema["required"]).iter().any(|needed| needed == name.as_str());
        let kind = match string_field(about, "type") {
            "string" if about["oneOf"].is_array() || about["enum"].is_array() => {
                FieldKind::Choice(options(about))
            }
            "string" => FieldKind::Text,
            "number" => FieldKind::Number,
            "integer" => FieldKind::Integer,
            "boolean" => FieldKind::Boolean,
            "array" => FieldKind::MultiChoice(options(&about["items"])),
            _ if required => return Err("the form has a field of an unknown kind"),
            _ => continue,
        };
        // claude-agent-acp and codex-acp add a text field to each choice, whose name begins with that of the choice.
        let choice = fields.last_mut().filter(|field| {
            let is_choice = matches!(field.kind, FieldKind::Choice(_) | FieldKind::MultiChoice(_))
                && field.other.is_none();
            is_choice && !required && matches!(kind, FieldKind::Text) && name.starts_with(&field.name)
        });
        if let Some(choice) = choice {
            choice.other = Some(name.clone());
            continue;
        }
        for part in [string_field(about, "title"), string_field(about, "description")] {
            if !part.is_empty() {
                ask.detail.extend(["\n\n", part]);
            }
        }
        if string_field(about, "title").is_empty() && string_field(about, "description").is_empty() {
            ask.detail.extend(["\n\n", name]);
        }
        let flag = [("yes".to_owned(), String::new()), ("no".to_owned(), String::new())];
        let choices = match &kind {
            FieldKind::Choice(options) | FieldKind::MultiChoice(options) => options.as_slice(),
            FieldKind::Boolean => &flag,
            _ => &[],
        };
        ask.choices.clear();
        for (label, _) in choices {
            ask.detail.extend(["\n- ", label]);
            ask.choices.push(label.clone());
        }
        fields.push(FormField { name: name.clone(), kind, required, other: None });
    }
    match fields.len() {
        // There is nothing to fill in: the form only wants a yes.
        0 => ask.kind = PermissionKind::Other,
        1 => {}
        MAX_FIELDS.. => return Err("the form has too many fields"),
        several => {
            ask.answer_count = several;
            ask.choices.clear();
        }
    }
    Ok((ElicitationForm { fields }, ask))
}

/// The options of a field, in any of the notations of JSON Schema and MCP.
fn options(about: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for list in ["oneOf", "anyOf"] {
        out.extend(array_items(&about[list]).iter().map(|option| {
            let (label, value) = (string_field(option, "title"), string_field(option, "const"));
            (if label.is_empty() { value } else { label }.to_owned(), value.to_owned())
        }));
    }
    let names = array_items(&about["enumNames"]);
    for (at, value) in array_items(&about["enum"]).iter().enumerate() {
        let value = value.as_str().unwrap_or_default();
        let label = names.get(at).and_then(Value::as_str).unwrap_or(value);
        out.push((label.to_owned(), value.to_owned()));
    }
    out
}

/// The request of a tool server for information, or to open a URL, as codex and claude write it. `schema` is the name of
/// the member that holds the form.
pub fn elicitation_request(id: &Value, params: &Value, schema: &str) -> PermissionRequest {
    if let Some((_, ask)) = parse_elicitation(id, params, schema) {
        return ask;
    }
    let words = [string_field(params, "message"), "\n\n", string_field(params, "url")].concat();
    PermissionRequest {
        id: id.to_string(),
        kind: PermissionKind::Other,
        tool: String::new(),
        title: one_line_title(string_field(params, "message")),
        detail: words.trim().to_owned(),
        subjects: Vec::new(),
        can_allow_session: false,
        choices: Vec::new(),
        answer_count: 1,
    }
}

/// The response to the same; the error says which answer does not fit.
pub fn elicitation_response(params: &Value, schema: &str, decision: &Decision) -> Result<Value, String> {
    match (parse_elicitation(&Value::Null, params, schema), decision) {
        (Some((form, ask)), _) => form.result(&ask, decision),
        // A URL can be accepted. A form that cannot be filled in can only be declined.
        (None, Decision::Allow | Decision::AllowSession) if params["mode"] == "url" => {
            Ok(result("accept", None))
        }
        (None, Decision::DenyAndStop) => Ok(result("cancel", None)),
        (None, _) => Ok(result("decline", None)),
    }
}

/// The form, if the request contains one that can be filled in.
fn parse_elicitation(
    id: &Value,
    params: &Value,
    schema: &str,
) -> Option<(ElicitationForm, PermissionRequest)> {
    let is_form = string_field(params, "mode") != "url";
    is_form.then(|| parse_form(id, string_field(params, "message"), &params[schema]).ok())?
}

/// Splits words into `wanted` answers: one on each line, or separated by semicolons. `None`: the words hold more or fewer.
pub(in crate::agent) fn split_answers(words: &str, wanted: usize) -> Option<Vec<&str>> {
    if wanted < 2 {
        return Some(vec![words.trim()]);
    }
    for separators in [['\n', '\n'], [';', '；']] {
        let mut answers = Vec::new();
        answers.extend(words.split(separators).map(str::trim).filter(|answer| !answer.is_empty()));
        if answers.len() == wanted {
            return Some(answers);
        }
    }
    None
}

impl ElicitationForm {
    /// The response to the request whose question is `ask`; the error says which answer does not fit.
    pub fn result(&self, ask: &PermissionRequest, decision: &Decision) -> Result<Value, String> {
        Ok(match decision {
            Decision::Answer(words) => result("accept", Some(self.fill(words)?)),
            // Only a form without fields can be allowed without words.
            Decision::Allow | Decision::AllowSession if ask.kind != PermissionKind::Question => {
                result("accept", Some(json!({})))
            }
            Decision::DenyAndStop => result("cancel", None),
            _ => result("decline", None),
        })
    }

    /// The content for an answer in words; the error says which answer does not fit.
    fn fill(&self, words: &str) -> Result<Value, String> {
        let mut content = Map::new();
        let all = split_answers(words, self.fields.len());
        let needed = self.fields.iter().filter(|field| field.required).count();
        let (parts, only_needed) = match all {
            Some(parts) => (parts, false),
            // Perhaps only the required fields are answered.
            None => match split_answers(words, needed).filter(|_| needed > 0) {
                Some(parts) => (parts, true),
                None => return Err(format!("{} answers are needed", self.fields.len())),
            },
        };
        let asked = self.fields.iter().filter(|field| field.required || !only_needed);
        for (field, words) in asked.zip(parts) {
            if words == "-" && !field.required {
                continue;
            }
            let wrong = || format!("“{words}” does not fit {}", field.name);
            match (field.value(words), &field.other) {
                (Some(value), _) => content.insert(field.name.clone(), value),
                (None, Some(other)) => content.insert(other.clone(), words.into()),
                (None, None) => return Err(wrong()),
            };
        }
        Ok(content.into())
    }
}

impl FormField {
    fn value(&self, words: &str) -> Option<Value> {
        let is_one = |list: &[&str]| list.iter().any(|word| words.eq_ignore_ascii_case(word));
        match &self.kind {
            FieldKind::Text => Some(words.into()),
            FieldKind::Integer => words.parse::<i64>().ok().map(Value::from),
            FieldKind::Number => words.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
            FieldKind::Boolean if is_one(YES) || words == "1" => Some(true.into()),
            FieldKind::Boolean if is_one(NO) || words == "2" => Some(false.into()),
            FieldKind::Boolean => None,
            FieldKind::Choice(options) => chosen(options, words).map(Value::from),
            FieldKind::MultiChoice(options) => {
                let mut values: Vec<Value> = Vec::new();
                match chosen(options, words) {
                    Some(value) => values.push(value.into()),
                    None => {
                        for word in words.split([',', '，', '、']) {
                            values.push(chosen(options, word.trim())?.into());
                        }
                    }
                }
                Some(Value::Array(values))
            }
        }
    }
}

/// The value of the option with this number, label or value.
fn chosen<'a>(options: &'a [(String, String)], words: &str) -> Option<&'a str> {
    let named =
        |(label, value): &&(String, String)| label.to_lowercase() == words.to_lowercase() || value == words;
    let by_number = || options.get(words.parse::<usize>().ok()?.checked_sub(1)?);
    options.iter().find(named).or_else(by_number).map(|(_, value)| value.as_str())
}

/// The result of an elicitation request; `content` if the user has accepted it.
fn result(action: &str, content: Option<Value>) -> Value {
    match content {
        Some(content) => json!({ "action": action, "content": content }),
        None => json!({ "action": action }),
    }
}
