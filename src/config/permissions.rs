//! The rules of `WTT_CONNECT_PERMISSIONS`: their JSON, and whether a pattern matches a text. Pure.
//!
//! `session/permissions/policy.rs` compares requests with them and decides which rule takes precedence.

use super::adapter_names::ADAPTER_NAMES;
use crate::json;
use serde_json::{Map, Value};

/// The effect of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionEffect {
    /// It is done without asking.
    Allow,
    /// People are asked.
    Ask,
    /// It is refused; no other rule and no person can allow it.
    Deny,
}

/// A rule. It matches if each list that is not empty has an entry that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionRule {
    /// Its place in the list, from 1.
    pub number: usize,
    /// Its effect.
    pub effect: PermissionEffect,
    /// Adapters by name.
    pub adapter: Vec<String>,
    /// Patterns of tool names.
    pub tool: Vec<String>,
    /// Patterns of commands, word by word.
    pub command: Vec<String>,
    /// Patterns of paths.
    pub path: Vec<String>,
    /// Topics by id.
    pub topic: Vec<String>,
    /// Tasks by id.
    pub task: Vec<String>,
}

/// Most rules of a file; each request is compared with all of them.
const MAX_RULES: usize = 500;
/// Largest size of a file in bytes, which is 500 bytes for each rule.
pub const MAX_BYTES: u64 = 256 * 1024;

/// Parses rules: a list of objects, or an object with that list as `rules`. The error is a predicate that names the
/// rule.
pub fn read(text: &str) -> Result<Vec<PermissionRule>, String> {
    let value = json::parse(text).map_err(|why| format!("is not JSON: {why}"))?;
    let list = match value {
        Value::Object(mut object) if object.len() == 1 => object.remove("rules").unwrap_or_default(),
        value => value,
    };
    let Value::Array(list) = list else {
        return Err("is not a list of rules".to_owned());
    };
    if list.len() > MAX_RULES {
        return Err(format!("has {} rules; {MAX_RULES} are allowed", list.len()));
    }
    let mut rules = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        let number = at + 1;
        let Value::Object(fields) = value else { return Err(format!("rule {number} is not an object")) };
        rules.push(rule(number, fields).map_err(|why| format!("rule {number}: {why}"))?);
    }
    Ok(rules)
}

fn rule(number: usize, mut fields: Map<String, Value>) -> Result<PermissionRule, String> {
    let effect = match fields.remove("action").as_ref().and_then(Value::as_str) {
        Some("allow") => PermissionEffect::Allow,
        Some("ask") => PermissionEffect::Ask,
        Some("deny") => PermissionEffect::Deny,
        _ => return Err("`action` must be allow, ask or deny".to_owned()),
    };
    let mut take = |name: &str| texts(fields.remove(name), name);
    let rule = PermissionRule {
        number,
        effect,
        adapter: take("adapter")?,
        tool: take("tool")?,
        command: take("command")?,
        path: take("path")?,
        topic: take("topic")?,
        task: take("task")?,
    };
    if let Some(name) = rule.adapter.iter().find(|name| ADAPTER_NAMES.iter().all(|(known, _)| known != name))
    {
        return Err(format!("`{}` is no adapter", crate::text::one_line(name)));
    }
    if !rule.command.is_empty() && !rule.path.is_empty() {
        return Err("`command` and `path` cannot both match; make two rules".to_owned());
    }
    match fields.keys().next() {
        // a misspelled condition would make the rule match more than intended
        Some(other) => Err(format!(
            "`{}` is not known; known are action, adapter, tool, command, path, topic and task",
            crate::text::one_line(other)
        )),
        None => Ok(rule),
    }
}

/// Parses a text or a list of texts.
fn texts(value: Option<Value>, name: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{name}` must be a text or a list of texts, none of them empty");
    let mut out = Vec::new();
    let list = match value {
        None => return Ok(out),
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(one) => vec![one],
    };
    for value in list {
        match value {
            Value::String(text) if !text.trim().is_empty() => out.push(text.trim().to_owned()),
            _ => return Err(wrong()),
        }
    }
    Ok(out)
}

/// Whether a text matches a pattern in which `*` is any run of characters.
pub fn glob(pattern: &str, text: &str) -> bool {
    // the pattern behind the last star, and where its match may continue; going back further never helps
    let (mut p, mut t) = (pattern, text);
    let mut back: Option<(&str, &str)> = None;
    loop {
        let (want, got) = (p.chars().next(), t.chars().next());
        if want == Some('*') {
            p = &p[1..];
            back = Some((p, t));
        } else if got.is_some() && want == got {
            let step = got.map_or(0, char::len_utf8);
            (p, t) = (&p[step..], &t[step..]);
        } else if got.is_none() && want.is_none() {
            return true;
        } else if let Some((after, from)) = back
            && let Some(c) = from.chars().next()
        {
            let rest = &from[c.len_utf8()..];
            (p, t, back) = (after, rest, Some((after, rest)));
        } else {
            return false;
        }
    }
}

/// Whether a path matches a pattern: `*` within a component, `**` across any number of them. Both are split at `/`.
pub fn path(pattern: &[&str], parts: &[&str]) -> bool {
    // dynamic programming: which prefixes of the path the pattern up to here can match
    let mut reach = vec![false; parts.len() + 1];
    reach[0] = true;
    for want in pattern {
        let mut next = vec![false; parts.len() + 1];
        if *want == "**" {
            let first = reach.iter().position(|can| *can).unwrap_or(parts.len() + 1);
            next.iter_mut().skip(first).for_each(|can| *can = true);
        } else {
            for (at, part) in parts.iter().enumerate() {
                next[at + 1] = reach[at] && glob(want, part);
            }
        }
        reach = next;
    }
    reach[parts.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_wrong_ones_are_named() {
        let rules = read(r#"{"rules": [{"action": "deny", "command": ["rm *", "dd *"]}, {"action":"allow","adapter":"codex","path":"src/**"}]}"#).unwrap();
        assert_eq!((rules.len(), rules[0].effect, rules[1].number), (2, PermissionEffect::Deny, 2));
        assert_eq!((rules[0].command.len(), rules[1].path.as_slice()), (2, &["src/**".to_owned()][..]));
        assert_eq!(read("[]"), Ok(vec![]));
        for (text, why) in [
            ("{", "is not JSON: EOF"),
            ("[\n {\"action\": \"deny\",}]", "line 2"),
            ("7", "is not a list"),
            ("{\"rule\": []}", "is not a list"),
            ("[7]", "rule 1 is not an object"),
            ("[{\"action\":\"allow\"},{}]", "rule 2: `action`"),
            ("[{\"action\":\"refuse\"}]", "rule 1: `action`"),
            ("[{\"action\":\"deny\",\"comand\":\"rm\"}]", "rule 1: `comand` is not known"),
            ("[{\"action\":\"deny\",\"command\":[]}]", "rule 1: `command`"),
            ("[{\"action\":\"deny\",\"command\":\" \"}]", "rule 1: `command`"),
            ("[{\"action\":\"deny\",\"adapter\":\"claude\"}]", "rule 1: `claude` is no adapter"),
            ("[{\"action\":\"deny\",\"path\":\"a\",\"command\":\"a\"}]", "make two rules"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn stars() {
        for (pattern, text, want) in [
            ("git", "git", true),
            ("git", "gitk", false),
            ("git*", "gitk", true),
            ("*", "", true),
            ("a*b*c", "a--b--b-c", true),
            ("a*b*c", "a--b--b-", false),
            ("*ä*", "xäy", true),
            ("**", "x", true),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
        // no exponential time
        assert!(!glob(&"*a".repeat(50), &"a".repeat(49)));
        assert!(!glob(&("*a".repeat(30) + "b"), &"a".repeat(5000)));
    }

    #[test]
    fn paths() {
        let matches = |pattern: &str, text: &str| {
            path(&pattern.split('/').collect::<Vec<_>>(), &text.split('/').collect::<Vec<_>>())
        };
        for (pattern, text, want) in [
            ("src/*.rs", "src/a.rs", true),
            ("src/*.rs", "src/a/b.rs", false),
            ("src/**", "src/a/b.rs", true),
            ("src/**", "src", true),
            ("**/.env", ".env", true),
            ("**/.env", "a/b/.env", true),
            ("**/.env", "a/b.env", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z/z", true),
            ("a/**/z", "a/b/c", false),
            ("**", "x/y", true),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }
}
