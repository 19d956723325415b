//! The settings of the model switcher and the provider map. Pure.
//!
//! `agent/model_switcher.rs` decides what is run for a turn.

use crate::config::value;
use crate::json;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Placeholders for values in arguments and templates.
pub const PLACEHOLDERS: &[&str] = &["adapter", "app", "provider", "model"];

/// For mode `cc-switch`: the command line of cc-switch-cli, which takes one provider and no model. For it the
/// arguments of the original connector are a usage error, and another tool of that name would start an agent with them.
pub const CC_SWITCH_ARGS: &[&str] = &["--app", "{app}", "use", "{provider}"];

/// For mode `command`, as in the original connector.
pub const COMMAND_ARGS: &[&str] = &["use", "{adapter}", "{provider}", "--model", "{model}"];

/// The model switcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSwitch {
    /// Program and arguments; the arguments may have placeholders. Each word remains one argument.
    pub words: Vec<String>,
    /// Whether it is cc-switch itself, which supports certain agents only.
    pub cc_switch: bool,
    /// Whether a failure fails the turn. Otherwise it is logged, and the agent runs.
    pub strict: bool,
    /// Its time limit.
    pub timeout: Duration,
}

/// A row of `WTT_CONNECT_MODEL_PROVIDER_MAP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRow {
    /// Model ids, with `*` and `?`.
    pub pattern: String,
    /// The adapter that runs them.
    pub adapter: Option<String>,
    /// The provider that serves them.
    pub provider: Option<String>,
}

/// The arguments: a JSON list of texts.
pub fn arguments(text: &str) -> Result<Vec<String>, String> {
    let words: Vec<String> = json::parse(text).map_err(|_| "is not a JSON list of texts")?;
    words.iter().try_for_each(|word| placeholders(word)).map(|()| words)
}

/// The template: a command line, split into words before values are inserted.
pub fn template(text: &str) -> Result<Vec<String>, String> {
    let words = value::command(text)?;
    if words.first().is_some_and(|program| program.contains('{')) {
        return Err("has a placeholder where the program is; a message must not choose that".into());
    }
    words.iter().try_for_each(|word| placeholders(word)).map(|()| words)
}

/// Refuses unknown placeholders, which would reach the program literally.
fn placeholders(word: &str) -> Result<(), String> {
    for (at, _) in word.match_indices('{') {
        let name = word[at + 1..].split('}').next().unwrap_or_default();
        let closed = word[at + 1..].contains('}');
        let is_name = closed && !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase());
        if is_name && !PLACEHOLDERS.contains(&name) {
            return Err(format!("has the unknown placeholder {{{name}}}"));
        }
    }
    Ok(())
}

/// The provider map, with the longest pattern first, which is the most specific one.
pub fn map(text: &str) -> Result<Vec<MapRow>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Target {
        adapter: Option<String>,
        provider: Option<String>,
    }
    let object: BTreeMap<String, Value> = json::parse(text).map_err(|_| "is not a JSON object")?;
    let mut rows = Vec::new();
    for (pattern, row) in object {
        let shown = crate::text::truncate(&crate::text::one_line(&pattern), 60);
        let wrong = |why: &str| format!("has {why} for \"{shown}\"");
        // this also refuses a misspelled key
        let target = Target::deserialize(row)
            .map_err(|_| wrong("something other than an object with texts for adapter and provider"))?;
        let trimmed = |text: Option<String>| match text.map(|text| text.trim().to_owned()) {
            Some(text) if text.is_empty() => Err(wrong("an empty text for the adapter or provider")),
            text => Ok(text),
        };
        let adapter = trimmed(target.adapter)?.map(|name| value::adapter(&name)).transpose();
        let adapter = adapter.map_err(|_| wrong("an adapter that does not exist"))?;
        let provider = trimmed(target.provider)?;
        if adapter.is_none() && provider.is_none() {
            return Err(wrong("neither adapter nor provider"));
        }
        rows.push(MapRow { pattern, adapter, provider });
    }
    rows.sort_by_cached_key(|row| std::cmp::Reverse(row.pattern.len()));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_templates() {
        let split = |words: &[&str]| Ok(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            arguments(r#"["use","{adapter}","--model={model}"]"#),
            split(&["use", "{adapter}", "--model={model}"])
        );
        assert_eq!(arguments("[]"), split(&[]));
        for bad in ["use {adapter}", r#"["use", 1]"#, r#"{"a":"b"}"#, r#"["{modle}"]"#] {
            assert!(arguments(bad).is_err(), "{bad}");
        }
        assert_eq!(
            template("switch 'my {provider}' {model} '{\"a\":1}'"),
            split(&["switch", "my {provider}", "{model}", "{\"a\":1}"])
        );
        for bad in ["{provider} {model}", "a 'b", "", "a {Model} {moel}"] {
            assert!(template(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_most_particular_pattern_comes_first() {
        let rows = map(
            r#"{"*":{"provider":"any"},"openai-codex/*":{"adapter":"codex","provider":"openai"},"deepseek/*":{"adapter":"claude"}}"#,
        )
        .unwrap();
        let patterns: Vec<_> = rows.iter().map(|row| row.pattern.as_str()).collect();
        assert_eq!(patterns, ["openai-codex/*", "deepseek/*", "*"]);
        assert_eq!(rows[1].adapter.as_deref(), Some("claude-code"));
        for bad in [
            "[]",
            r#"{"a":"b"}"#,
            r#"{"a":{}}"#,
            r#"{"a":{"adapter":"gpt"}}"#,
            r#"{"a":{"provider":1}}"#,
            r#"{"a":{"adaptor":"codex","provider":"x"}}"#,
        ] {
            assert!(map(bad).is_err(), "{bad}");
        }
    }
}
