//! What each kind of value accepts, and how its text becomes a value. Pure, but for nothing: no file is looked at.
//!
//! An error here is half a sentence about the value (`"fast" is not a mode`); the caller adds key, place and what is
//! accepted. Values of secrets are never part of it.

use super::keys::{ADAPTER_NAMES, DRIVEN};
use super::{Mode, permissions, switch};
use std::time::Duration;

pub use super::address::url;

/// Kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text on one line.
    Text,
    /// `http://` or `https://` address.
    BaseUrl,
    /// `ws://` or `wss://` address.
    WsUrl,
    /// Agent id; becomes part of file names.
    AgentId,
    /// Goes into HTTP headers.
    Token,
    /// One adapter name.
    Adapter,
    /// Adapter names with commas between.
    Adapters,
    /// A file or directory; `~/` is the home directory.
    Path,
    /// A permission mode.
    Mode,
    /// Words with commas between.
    List,
    /// Yes or no.
    Flag,
    /// Whole seconds.
    Seconds {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// Whole minutes.
    Minutes {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// A whole number.
    Number {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// Program and arguments, quoted as in a shell.
    Command,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Arguments as a JSON list.
    Arguments,
    /// A command line with placeholders.
    Template,
    /// Model patterns with what serves them, as a JSON object.
    ProviderMap,
    /// Permission rules as JSON, or the file that holds them.
    Permissions,
    /// Log filter.
    Filter,
}

/// Longest agent id: it is part of a folder name, which may have 255 bytes.
const MAX_ID: usize = 200;
/// Longest token: header lines of more than 8 KiB are refused by common servers.
const MAX_TOKEN: usize = 4096;

impl Kind {
    /// What is accepted, to follow "accepted:" in a message.
    pub fn accepts(&self) -> String {
        match self {
            Kind::Text => "text on one line".into(),
            Kind::BaseUrl => "an http:// or https:// address without user, query and fragment".into(),
            Kind::WsUrl => "a ws:// or wss:// address without user, query and fragment".into(),
            Kind::AgentId => {
                format!("1 to {MAX_ID} visible ASCII characters without \"/\", not starting with a dot")
            }
            Kind::Token => format!("1 to {MAX_TOKEN} visible ASCII characters without blanks"),
            Kind::Adapter => format!("one of {}", DRIVEN.join(", ")),
            Kind::Adapters => format!("names with commas between, from {}", DRIVEN.join(", ")),
            Kind::Path => "a path, absolute, starting with ~/, or relative to the current directory".into(),
            Kind::Mode => "one of full-auto, auto-edit, yolo, suggest".into(),
            Kind::List => "words with commas between".into(),
            Kind::Flag => "one of 1, 0, true, false, yes, no, on, off".into(),
            Kind::Seconds { min, max } => format!("whole seconds from {min} to {max}"),
            Kind::Minutes { min, max } => format!("whole minutes from {min} to {max}"),
            Kind::Number { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Command => "a program and its arguments, quoted like words of a shell".into(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Arguments => format!("a JSON list of texts, in which {}", placeholders()),
            Kind::Template => {
                format!("a command line, quoted as in a shell, in whose arguments {}", placeholders())
            }
            Kind::ProviderMap => {
                "a JSON object of model patterns, each with an object of adapter and provider".into()
            }
            Kind::Permissions => "permission rules as a JSON list, or the path of a file with one".into(),
            Kind::Filter => "error, warn, info, debug, or module=level with commas between".into(),
        }
    }

    /// Whether a (trimmed, non-empty) value is accepted.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self {
            Kind::Text => text(value).map(drop),
            Kind::BaseUrl => url(value, &["http://", "https://"]).map(drop),
            Kind::WsUrl => url(value, &["ws://", "wss://"]).map(drop),
            Kind::AgentId => agent_id(value).map(drop),
            Kind::Token => token(value).map(drop),
            Kind::Adapter => adapter(value).map(drop),
            Kind::Adapters => adapters(value).map(drop),
            Kind::Path => text(value).map(drop),
            Kind::Mode => mode(value).map(drop),
            Kind::List => text(value).map(drop),
            Kind::Flag => flag(value).map(drop),
            Kind::Seconds { min, max } | Kind::Minutes { min, max } | Kind::Number { min, max } => {
                number(value, *min, *max).map(drop)
            }
            Kind::Command => command(value).map(drop),
            Kind::Word(words) => word(value, words).map(drop),
            Kind::Arguments => switch::arguments(value).map(drop),
            Kind::Template => switch::template(value).map(drop),
            Kind::ProviderMap => switch::map(value).map(drop),
            Kind::Permissions if is_json(value) => permissions::read(value).map(drop),
            Kind::Permissions => text(value).map(drop),
            Kind::Filter => filter(value),
        }
    }
}

fn placeholders() -> String {
    let names: Vec<String> = switch::PLACEHOLDERS.iter().map(|name| format!("{{{name}}}")).collect();
    format!("{} stand for values", names.join(", "))
}

/// One of some words, any letter case.
pub fn word(value: &str, words: &[&'static str]) -> Result<&'static str, String> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(value));
    found.copied().ok_or_else(|| format!("\"{}\" is none of them", crate::text::truncate(value, 40)))
}

/// Whether a value is JSON itself, and not a path.
pub fn is_json(value: &str) -> bool {
    value.starts_with(['[', '{'])
}

/// Text without control characters.
pub fn text(value: &str) -> Result<String, String> {
    if value.chars().any(char::is_control) {
        return Err("has a control character or a line break".into());
    }
    Ok(value.to_owned())
}

/// An agent id.
pub fn agent_id(value: &str) -> Result<String, String> {
    let ok = !value.is_empty()
        && value.len() <= MAX_ID
        && value.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
        && !value.starts_with('.');
    if ok { Ok(value.to_owned()) } else { Err("is not an agent id".into()) }
}

/// A token; the value is never repeated.
pub fn token(value: &str) -> Result<String, String> {
    if value.len() > MAX_TOKEN {
        return Err("is too long for a token".into());
    }
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("has a blank, a control character or a letter outside ASCII".into());
    }
    Ok(value.to_owned())
}

/// One adapter, by name or short spelling, any letter case.
pub fn adapter(value: &str) -> Result<String, String> {
    let lower = value.to_ascii_lowercase();
    ADAPTER_NAMES
        .iter()
        .find(|(name, short)| *name == lower || short.contains(&lower.as_str()))
        .map(|(name, _)| (*name).to_owned())
        .ok_or_else(|| unknown(value, "an adapter", &mut ADAPTER_NAMES.iter().flat_map(names)))
}

fn names(row: &'static (&str, &[&str])) -> impl Iterator<Item = &'static str> {
    std::iter::once(row.0).chain(row.1.iter().copied())
}

/// Something that has a name, and which name may be meant.
fn unknown(value: &str, what: &str, known: &mut dyn Iterator<Item = &'static str>) -> String {
    format!("\"{}\" is not {what}{}", crate::text::truncate(value, 40), crate::text::hint(value, known))
}

/// Several adapters; blanks and repetitions are dropped.
pub fn adapters(value: &str) -> Result<Vec<String>, String> {
    let mut out: Vec<String> = Vec::new();
    // a name has no blanks, so they may stand between names as well
    for word in list(value).iter().flat_map(|word| word.split_whitespace()) {
        let name = adapter(word)?;
        if !out.contains(&name) {
            out.push(name);
        }
    }
    if out.is_empty() { Err("names no adapter".into()) } else { Ok(out) }
}

/// Words with commas between; empty ones are dropped, a leading `@` too.
pub fn list(value: &str) -> Vec<String> {
    value
        .split([',', '，'])
        .map(|w| w.trim().trim_start_matches('@').to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

/// A mode.
pub fn mode(value: &str) -> Result<Mode, String> {
    Mode::ALL
        .into_iter()
        .find(|m| m.name().eq_ignore_ascii_case(value))
        .ok_or_else(|| unknown(value, "a mode", &mut Mode::ALL.iter().map(|mode| mode.name())))
}

/// Yes or no.
pub fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("\"{}\" is neither yes nor no", crate::text::truncate(value, 40))),
    }
}

/// A number in a range.
fn number(value: &str, min: u64, max: u64) -> Result<u64, String> {
    match value.parse::<u64>() {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        Ok(n) => Err(format!("{n} is not between {min} and {max}")),
        Err(_) => Err(format!("\"{}\" is not a whole number", crate::text::truncate(value, 40))),
    }
}

/// Seconds, checked before by the kind.
pub fn seconds(value: &str) -> Result<Duration, String> {
    number(value, 0, u64::from(u32::MAX)).map(Duration::from_secs)
}

/// Minutes, checked before by the kind.
pub fn minutes(value: &str) -> Result<Duration, String> {
    number(value, 0, u64::from(u32::MAX)).map(|m| Duration::from_secs(m * 60))
}

/// A count, checked before by the kind.
pub fn count(value: &str) -> Result<usize, String> {
    number(value, 0, u64::from(u32::MAX)).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// Program and leading arguments.
pub fn command(value: &str) -> Result<Vec<String>, String> {
    match shell_words::split(value) {
        Ok(words) if words.first().is_some_and(|w| !w.is_empty()) => Ok(words),
        Ok(_) => Err("names no program".into()),
        Err(_) => Err("has a quote that is not closed".into()),
    }
}

/// A log filter. A word that is no level would be taken for a module and silence everything else.
fn filter(value: &str) -> Result<(), String> {
    let level = |w: &str| {
        ["off", "error", "warn", "info", "debug", "trace"].contains(&w.to_ascii_lowercase().as_str())
    };
    let good = |part: &str| match part.split_once('=') {
        Some((module, word)) => !module.trim().is_empty() && level(word.trim()),
        None => part.is_empty() || level(part) || part.contains("::") || part.starts_with("wtt_connect"),
    };
    match value.split(',').map(str::trim).find(|part| !good(part)) {
        Some(part) => Err(format!("\"{}\" is no level", crate::text::truncate(part, 40))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, good: &[&str], bad: &[&str]) {
        for value in good {
            assert_eq!(kind.check(value), Ok(()), "{kind:?} {value}");
        }
        for value in bad {
            assert!(kind.check(value).is_err(), "{kind:?} must refuse {value:?}");
        }
    }

    #[test]
    fn kinds_accept_and_refuse() {
        check(
            Kind::BaseUrl,
            &[
                "https://www.waxbyte.com",
                "http://127.0.0.1:8080/",
                "http://[::1]:80",
                "https://a/api",
                "HTTPS://A.b",
                "http://localhost",
            ],
            &[
                "www.waxbyte.com",
                "ftp://a",
                "https://",
                "https:///x",
                "https://u:p@host",
                "https://a b",
                "https://a?x=1",
                "https://a#f",
                "https://a:99999",
                "https://a:",
                "ws://a",
                "https://[]",
                "https://ü.de",
            ],
        );
        check(Kind::WsUrl, &["wss://a/ws", "ws://127.0.0.1:1"], &["https://a", "wss://"]);
        check(Kind::AgentId, &["agent-001", "a", "agent_x.y"], &["", "a b", "a/b", "..", ".x", "ä", "a\n"]);
        check(Kind::Token, &["wtt-tok-$a#'\"\\"], &["a b", "a\nb", "tök"]);
        check(Kind::Adapter, &["codex", "Claude", "claude-code"], &["gpt", "codex,gemini", ""]);
        check(Kind::Adapters, &["codex", "codex, claude", "codex,"], &["codex,foo", ","]);
        check(Kind::Mode, &["full-auto", "SUGGEST"], &["fast", "full auto"]);
        check(Kind::Flag, &["1", "0", "True", "off"], &["2", "ja"]);
        check(Kind::Seconds { min: 1, max: 10 }, &["1", "10"], &["0", "11", "-1", "1.5", "1s", ""]);
        check(Kind::Command, &["codex", "a 'b c'"], &["a 'b", "''"]);
        check(
            Kind::Filter,
            &["info", "debug,tungstenite=warn", "warn,wtt_connect::session=debug", "TRACE"],
            &["verbose", "x=loud", "info;debug"],
        );
        check(Kind::Text, &["gpt-5.5", "中文"], &["a\nb", "\u{1b}[0m"]);
    }

    #[test]
    fn a_mistake_is_named_with_a_hint() {
        assert_eq!(mode("sugest"), Err("\"sugest\" is not a mode (did you mean suggest?)".to_owned()));
        assert_eq!(adapter("emacs"), Err("\"emacs\" is not an adapter".to_owned()));
        let address = |text| Kind::BaseUrl.check(text).unwrap_err();
        assert_eq!(
            address("127.0.0.1:9"),
            "\"127.0.0.1:9\" does not begin with http:// or https://; write http://127.0.0.1:9"
        );
        assert!(address("waxbyte.com").ends_with("; write https://waxbyte.com"));
        assert!(address("ftp://a").ends_with("begin with http:// or https://"));
        assert!(address("https://a b").ends_with("is not the address of a service"));
        let seconds = |text| Kind::Seconds { min: 1, max: 9 }.check(text).unwrap_err();
        assert_eq!(seconds("9s"), "\"9s\" is not a whole number");
        assert_eq!(seconds("10"), "10 is not between 1 and 9");
    }

    #[test]
    fn lists_are_cleaned() {
        assert_eq!(list(" alice, @al ,,，鲍勃"), ["alice", "al", "鲍勃"]);
        assert_eq!(adapters("codex,claude,codex").unwrap(), ["codex", "claude-code"]);
        assert_eq!(adapters(" codex claude ,pi").unwrap(), ["codex", "claude-code", "pi"]);
    }
}
