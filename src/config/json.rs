//! The JSON file of `--config`: one flat object, with keys spelled like variables or in camel case.

use super::keys;
use super::kind::SettingKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The settings of a file.
#[derive(Debug, Default)]
pub struct JsonSettings {
    /// Values as text, by variable name.
    pub values: BTreeMap<String, String>,
    /// Keys that are not settings.
    pub unknown: BTreeSet<String>,
    /// What is wrong with values, as predicates whose subject is the file.
    pub problems: Vec<String>,
}

/// Parses the text. The error contains no text of the file.
pub fn parse(text: &str) -> Result<JsonSettings, String> {
    let root: Value = crate::json::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|e| format!("is not JSON (line {}, column {})", e.line(), e.column()))?;
    let Value::Object(map) = root else {
        return Err("must hold one object, like {\"agentId\": \"agent-alice\"}".into());
    };
    let mut out = JsonSettings::default();
    for (name, value) in map {
        let spelt = |k: &&super::keys::SettingSpec| {
            k.name == name
                || k.json_name() == name
                || k.aliases.iter().any(|a| *a == name || super::keys::camel(a) == name)
        };
        let Some(key) = keys::all().find(spelt) else {
            out.unknown.insert(crate::text::truncate(&crate::text::one_line(&name), 60));
            continue;
        };
        match scalar(&value, key.kind) {
            Ok(Some(text)) => {
                if out.values.insert(key.name.to_owned(), text).is_some() {
                    out.problems.push(format!("{} is given twice, in two spellings", key.name));
                }
            }
            Ok(None) => {}
            Err(why) => out.problems.push(format!("\"{name}\" {why}")),
        }
    }
    Ok(out)
}

/// The text that an env file would have for a value; none for `null`, which means that it is not set.
fn scalar(value: &Value, kind: SettingKind) -> Result<Option<String>, String> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(yes) => if *yes { "1" } else { "0" }.to_owned(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.clone(),
        Value::Array(items) => {
            let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            match (words, kind) {
                (Some(words), SettingKind::List | SettingKind::Adapters) => words.join(","),
                (Some(words), SettingKind::Command | SettingKind::Template) => shell_words::join(words),
                (Some(_), SettingKind::Arguments) => value.to_string(),
                (Some(_), _) => return Err("is a list, but has one value".into()),
                (None, _) => return Err("is a list of something other than texts".into()),
            }
        }
        Value::Object(_) if kind == SettingKind::ProviderMap => value.to_string(),
        Value::Object(_) => return Err("is an object; settings are not nested".into()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_all_scalars() {
        let object = parse(
            r#"{"agentId":"a","WTT_CONNECT_ALLOW_YOLO":true,"turnSeconds":60,"agentAliases":["x","y"],
                "codexCommand":["/a b/codex","-x"],"agentToken":"t","model":null,"fancy":{"x":1}}"#,
        )
        .unwrap();
        let get = |k: &str| object.values.get(k).map(String::as_str);
        assert_eq!(get("WTT_AGENT_ID"), Some("a"));
        assert_eq!(get("WTT_TOKEN"), Some("t"));
        assert_eq!(get("WTT_CONNECT_ALLOW_YOLO"), Some("1"));
        assert_eq!(get("WTT_CONNECT_TURN_SECONDS"), Some("60"));
        assert_eq!(get("WTT_CONNECT_AGENT_ALIASES"), Some("x,y"));
        assert_eq!(get("WTT_CONNECT_CODEX_COMMAND"), Some("'/a b/codex' -x"));
        assert_eq!(get("WTT_CONNECT_MODEL"), None);
        assert_eq!(object.unknown.iter().collect::<Vec<_>>(), ["fancy"]);
        assert!(object.problems.is_empty(), "{:?}", object.problems);
    }

    #[test]
    fn what_cannot_be_used_is_said_without_the_text() {
        assert!(parse("[]").unwrap_err().contains("one object"));
        let error = parse("{\"token\": CANARY}").unwrap_err();
        assert!(error.contains("line 1") && !error.contains("CANARY"), "{error}");
        for (text, why) in [
            (r#"{"agentId":{"a":1}}"#, "nested"),
            (r#"{"agentId":["a"]}"#, "one value"),
            (r#"{"agentAliases":[1]}"#, "something other"),
            (r#"{"agentId":"a","WTT_AGENT_ID":"b"}"#, "twice"),
        ] {
            let object = parse(text).unwrap();
            assert_eq!(object.problems.len(), 1, "{text}");
            assert!(object.problems[0].contains(why), "{:?}", object.problems);
        }
    }
}
