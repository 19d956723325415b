//! Parses the values of settings. Pure: no file is read.
//!
//! An error is a predicate (`"fast" is not a mode`); the caller adds setting, place and what is accepted. It never
//! contains the value of a secret.

use super::adapter_names::ADAPTER_NAMES;
use super::mode::Mode;

pub use super::address::url;

/// Longest agent id, which becomes part of a folder name of at most 255 bytes.
pub(super) const MAX_ID: usize = 200;
/// Longest token; common servers refuse header lines of more than 8 KiB.
pub(super) const MAX_TOKEN: usize = 4096;

/// The schemes of an HTTP service.
pub const HTTP: &[&str] = &["http://", "https://"];
/// The schemes of a WebSocket.
pub(super) const WS: &[&str] = &["ws://", "wss://"];

/// One of these words, in any letter case.
pub fn word(value: &str, words: &[&'static str]) -> Result<&'static str, String> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(value));
    found.copied().ok_or_else(|| format!("\"{}\" is none of them", crate::text::truncate(value, 40)))
}

/// Whether a value is JSON and not a path.
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

/// A token. Errors do not repeat it.
pub fn token(value: &str) -> Result<String, String> {
    if value.len() > MAX_TOKEN {
        return Err("is too long for a token".into());
    }
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("has a blank, a control character or a letter outside ASCII".into());
    }
    Ok(value.to_owned())
}

/// An adapter, by name or alias, in any letter case.
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

/// The error for an unknown name, with a similar known one.
fn unknown(value: &str, what: &str, known: &mut dyn Iterator<Item = &'static str>) -> String {
    format!("\"{}\" is not {what}{}", crate::text::truncate(value, 40), crate::text::hint(value, known))
}

/// Several adapters; blanks and repetitions are removed.
pub fn adapters(value: &str) -> Result<Vec<String>, String> {
    let mut out: Vec<String> = Vec::new();
    // names have no blanks, so these may separate them as well
    for word in list(value).iter().flat_map(|word| word.split_whitespace()) {
        let name = adapter(word)?;
        if !out.contains(&name) {
            out.push(name);
        }
    }
    if out.is_empty() { Err("names no adapter".into()) } else { Ok(out) }
}

/// Words, separated by commas; empty ones and a leading `@` are removed.
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
pub(super) fn number(value: &str, min: u64, max: u64) -> Result<u64, String> {
    match value.parse::<u64>() {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        Ok(n) => Err(format!("{n} is not between {min} and {max}")),
        Err(_) => Err(format!("\"{}\" is not a whole number", crate::text::truncate(value, 40))),
    }
}

/// Program and leading arguments.
pub fn command(value: &str) -> Result<Vec<String>, String> {
    match shell_words::split(value) {
        Ok(words) if words.first().is_some_and(|w| !w.is_empty()) => Ok(words),
        Ok(_) => Err("names no program".into()),
        Err(_) => Err("has a quote that is not closed".into()),
    }
}

/// A log filter. A word that is not a level would count as a module, and nothing else would be logged.
pub(super) fn filter(value: &str) -> Result<(), String> {
    let level = |w: &str| {
        ["off", "error", "warn", "info", "debug", "trace"].contains(&w.to_ascii_lowercase().as_str())
    };
    let good = |part: &str| match part.split_once('=') {
        Some((module, word)) => !module.trim().is_empty() && level(word.trim()),
        None => part.is_empty() || level(part) || part.contains("::") || part.starts_with("wtt_connect"),
    };
    match value.split(',').map(str::trim).find(|part| !good(part)) {
        Some(part) => Err(format!("\"{}\" is not a level", crate::text::truncate(part, 40))),
        None => Ok(()),
    }
}
