//! Forms that an agent wants filled in (ACP `elicitation/create`, the elicitation of MCP that codex passes on), as one
//! question, and the words of an answer as the form's content. Pure.

use crate::agent::adapters::codex::approvals::parts;
use crate::agent::dialect::{items, string, title};
use crate::agent::permission::{Ask, AskKind, Decision};
use crate::json::object;
use serde_json::{Map, Value};

/// Fields of one form; nobody fills in more of them in a chat.
const MAX_FIELDS: usize = 12;
/// Bytes of one form: it is kept until it is answered, and shown cut.
const MAX_SCHEMA: usize = 64 << 10;

/// Words for yes and no, as they are asked for and as people write them.
const YES: &[&str] = &["yes", "true", "y", "ok", "是", "好"];
const NO: &[&str] = &["no", "false", "n", "否", "不"];

/// What a field takes.
#[derive(Debug)]
enum Kind {
    Text,
    Number,
    Integer,
    Flag,
    /// One of these: what people read, and the value.
    One(Vec<(String, String)>),
    /// Any of these.
    Many(Vec<(String, String)>),
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: Kind,
    required: bool,
    /// The field for words that are none of the choices.
    other: Option<String>,
}

/// A form that waits for its answer.
#[derive(Debug)]
pub struct Form {
    fields: Vec<Field>,
}

/// Reads a form; the error says why nobody can be asked.
pub fn read(id: &Value, message: &str, schema: &Value) -> Result<(Form, Ask), &'static str> {
    if schema.to_string().len() > MAX_SCHEMA {
        return Err("the form is too large");
    }
    let mut ask = Ask {
        id: id.to_string(),
        kind: AskKind::Question,
        tool: "form".to_owned(),
        title: title(message),
        detail: message.to_owned(),
        what: Vec::new(),
        for_session: false,
        choices: Vec::new(),
        answers: 1,
    };
    let mut fields: Vec<Field> = Vec::new();
    let nothing = Map::new();
    for (name, about) in schema["properties"].as_object().unwrap_or(&nothing) {
        let required = items(&schema["required"]).iter().any(|needed| needed == name.as_str());
        let kind = match string(about, "type") {
            "string" if about["oneOf"].is_array() || about["enum"].is_array() => Kind::One(options(about)),
            "string" => Kind::Text,
            "number" => Kind::Number,
            "integer" => Kind::Integer,
            "boolean" => Kind::Flag,
            "array" => Kind::Many(options(&about["items"])),
            _ if required => return Err("the form has a field of an unknown kind"),
            _ => continue,
        };
        // claude-agent-acp and codex-acp put a field for words beside each choice, with a name that begins like its
        let choice = fields.last_mut().filter(|field| {
            let is_choice = matches!(field.kind, Kind::One(_) | Kind::Many(_)) && field.other.is_none();
            is_choice && !required && matches!(kind, Kind::Text) && name.starts_with(&field.name)
        });
        if let Some(choice) = choice {
            choice.other = Some(name.clone());
            continue;
        }
        for part in [string(about, "title"), string(about, "description")] {
            if !part.is_empty() {
                ask.detail.extend(["\n\n", part]);
            }
        }
        if string(about, "title").is_empty() && string(about, "description").is_empty() {
            ask.detail.extend(["\n\n", name]);
        }
        let flag = [("yes".to_owned(), String::new()), ("no".to_owned(), String::new())];
        let choices = match &kind {
            Kind::One(options) | Kind::Many(options) => options.as_slice(),
            Kind::Flag => &flag,
            _ => &[],
        };
        ask.choices.clear();
        for (label, _) in choices {
            ask.detail.extend(["\n- ", label]);
            ask.choices.push(label.clone());
        }
        fields.push(Field { name: name.clone(), kind, required, other: None });
    }
    match fields.len() {
        // nothing to fill in: it only wants a yes
        0 => ask.kind = AskKind::Other,
        1 => {}
        MAX_FIELDS.. => return Err("the form has too many fields"),
        several => {
            ask.answers = several;
            ask.choices.clear();
        }
    }
    Ok((Form { fields }, ask))
}

/// The choices of a field, in each of the ways to write them.
fn options(about: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for list in ["oneOf", "anyOf"] {
        out.extend(items(&about[list]).iter().map(|option| {
            let (label, value) = (string(option, "title"), string(option, "const"));
            (if label.is_empty() { value } else { label }.to_owned(), value.to_owned())
        }));
    }
    let names = items(&about["enumNames"]);
    for (at, value) in items(&about["enum"]).iter().enumerate() {
        let value = value.as_str().unwrap_or_default();
        let label = names.get(at).and_then(Value::as_str).unwrap_or(value);
        out.push((label.to_owned(), value.to_owned()));
    }
    out
}

/// A tool server wants something to be known, or an address to be opened: how codex and claude write it. `schema`: where
/// they put the form.
pub fn asked(id: &Value, params: &Value, schema: &str) -> Ask {
    if let Some((_, ask)) = wished(id, params, schema) {
        return ask;
    }
    let words = [string(params, "message"), "\n\n", string(params, "url")].concat();
    Ask {
        id: id.to_string(),
        kind: AskKind::Other,
        tool: String::new(),
        title: title(string(params, "message")),
        detail: words.trim().to_owned(),
        what: Vec::new(),
        for_session: false,
        choices: Vec::new(),
        answers: 1,
    }
}

/// What is answered to the same; the error says what does not fit.
pub fn answered(params: &Value, schema: &str, decision: &Decision) -> Result<Value, String> {
    match (wished(&Value::Null, params, schema), decision) {
        (Some((form, ask)), _) => form.result(&ask, decision),
        // An address can be said yes to; to a form that nobody can fill in there is only a no.
        (None, Decision::Allow | Decision::AllowSession) if params["mode"] == "url" => {
            Ok(result("accept", None))
        }
        (None, Decision::DenyAndStop) => Ok(result("cancel", None)),
        (None, _) => Ok(result("decline", None)),
    }
}

/// The form, if it is one and can be filled in.
fn wished(id: &Value, params: &Value, schema: &str) -> Option<(Form, Ask)> {
    let is_form = string(params, "mode") != "url";
    is_form.then(|| read(id, string(params, "message"), &params[schema]).ok())?
}

impl Form {
    /// What is answered to the request, `ask` being its question; the error says what does not fit.
    pub fn result(&self, ask: &Ask, decision: &Decision) -> Result<Value, String> {
        Ok(match decision {
            Decision::Answer(words) => result("accept", Some(self.fill(words)?)),
            // only what has no fields can be allowed
            Decision::Allow | Decision::AllowSession if ask.kind != AskKind::Question => {
                result("accept", Some(object!({})))
            }
            Decision::DenyAndStop => result("cancel", None),
            _ => result("decline", None),
        })
    }

    /// The content for an answer in words; the error says what does not fit.
    fn fill(&self, words: &str) -> Result<Value, String> {
        let mut content = Map::new();
        let all = parts(words, self.fields.len());
        let needed = self.fields.iter().filter(|field| field.required).count();
        let (parts, only_needed) = match all {
            Some(parts) => (parts, false),
            // who answers no more than he must
            None => match parts(words, needed).filter(|_| needed > 0) {
                Some(parts) => (parts, true),
                None => return Err(format!("{} answers are wanted", self.fields.len())),
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

impl Field {
    fn value(&self, words: &str) -> Option<Value> {
        let is_one = |list: &[&str]| list.iter().any(|word| words.eq_ignore_ascii_case(word));
        match &self.kind {
            Kind::Text => Some(words.into()),
            Kind::Integer => words.parse::<i64>().ok().map(Value::from),
            Kind::Number => crate::json::number(words).map(Value::from),
            Kind::Flag if is_one(YES) || words == "1" => Some(true.into()),
            Kind::Flag if is_one(NO) || words == "2" => Some(false.into()),
            Kind::Flag => None,
            Kind::One(options) => chosen(options, words).map(Value::from),
            Kind::Many(options) => {
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

/// The value of the choice with this number, label or value.
fn chosen<'a>(options: &'a [(String, String)], words: &str) -> Option<&'a str> {
    let named =
        |(label, value): &&(String, String)| label.to_lowercase() == words.to_lowercase() || value == words;
    let by_number = || options.get(words.parse::<usize>().ok()?.checked_sub(1)?);
    options.iter().find(named).or_else(by_number).map(|(_, value)| value.as_str())
}

/// What is answered to the request; `content` when people have accepted it.
fn result(action: &str, content: Option<Value>) -> Value {
    match content {
        Some(content) => object!({ "action": action, "content": content }),
        None => object!({ "action": action }),
    }
}
