//! Reads loosely typed JSON: a value under one of several names, numbers in place of text, blank text for no value.

use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// The text of a string or number; none for blank text and every other type.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) if !s.trim().is_empty() => Some(s.trim().to_owned()),
        Value::Number(n) => Some(n.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The first of `keys` that holds text.
pub fn text(object: &Object, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| object.get(*key).and_then(as_text))
}

/// As [`text`], in lower case.
pub fn word(object: &Object, keys: &[&str]) -> Option<String> {
    text(object, keys).map(|s| s.to_lowercase())
}

/// The object under the first of `keys` that holds one.
pub fn object<'a>(object: &'a Object, keys: &[&str]) -> Option<&'a Object> {
    keys.iter().find_map(|key| object.get(*key).and_then(Value::as_object))
}

/// A flag: a JSON boolean, 0 or 1, or the words for them.
pub fn flag(object: &Object, keys: &[&str]) -> Option<bool> {
    keys.iter().find_map(|key| match object.get(*key)? {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => Some(n.as_f64() != Some(0.0)),
        Value::String(s) => match s.trim().to_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" | "" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

/// A list of ids: an array of strings or of objects with an id, or one comma-separated string.
pub fn ids(object: &Object, keys: &[&str]) -> Vec<String> {
    let found = keys.iter().find_map(|key| object.get(*key).filter(|v| !v.is_null()));
    match found {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| match item {
                Value::Object(o) => text(o, &["agent_id", "agentId", "id"]),
                other => as_text(other),
            })
            .collect(),
        Some(Value::String(s)) => {
            s.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
