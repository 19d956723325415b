//! A row of the table of settings, and how one is written.

use crate::config::kind::SettingKind;

/// A setting.
#[derive(Debug)]
pub struct SettingSpec {
    /// The environment variable.
    pub name: &'static str,
    /// Other names, read if the name itself is not set.
    pub aliases: &'static [&'static str],
    /// The kind of value that is accepted.
    pub kind: SettingKind,
    /// The default, as a value or in words.
    pub default: &'static str,
    /// Whether the value is secret and never shown.
    pub secret: bool,
    /// What it does, in full sentences.
    pub meaning: &'static str,
    /// An example of a value.
    pub example: &'static str,
}

impl SettingSpec {
    /// The name in a JSON file: `WTT_CONNECT_AGENT_ALIASES` is `agentAliases`, `WTT_AGENT_ID` is `agentId`.
    pub fn json_name(&self) -> String {
        camel(self.name)
    }
}

/// Drops `WTT_` or `WTT_CONNECT_` and writes the rest in camel case.
pub fn camel(name: &str) -> String {
    let bare = name.strip_prefix("WTT_CONNECT_").or_else(|| name.strip_prefix("WTT_")).unwrap_or(name);
    let mut out = String::new();
    for (i, word) in bare.split('_').enumerate() {
        let lower = word.to_ascii_lowercase();
        if i == 0 {
            out.push_str(&lower);
        } else {
            out.push_str(&lower[..1.min(lower.len())].to_ascii_uppercase());
            out.push_str(&lower[1.min(lower.len())..]);
        }
    }
    out
}

/// A setting without aliases that is not secret.
pub(super) const fn key(
    name: &'static str,
    kind: SettingKind,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> SettingSpec {
    SettingSpec {
        name,
        aliases: &[],
        kind,
        default,
        secret: false,
        meaning: manual_text(meaning),
        example: manual_text(example),
    }
}

/// A text that only the manual shows. Tests render the manual, so release builds leave it out and are 20 KB smaller.
const fn manual_text(text: &'static str) -> &'static str {
    if cfg!(debug_assertions) { text } else { "" }
}

/// A switch that is off by default.
pub(super) const fn switch(name: &'static str, meaning: &'static str) -> SettingSpec {
    key(name, SettingKind::Flag, "0", meaning, "1")
}

/// A program with its arguments.
pub(super) const fn command(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> SettingSpec {
    key(name, SettingKind::Command, default, meaning, example)
}

/// The transport of a CLI that speaks the Agent Client Protocol besides its own format.
pub(super) const fn acp_transport(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> SettingSpec {
    key(name, SettingKind::Word(&["one-shot", "acp"]), default, meaning, "acp")
}

/// A setting whose value is never shown.
pub(super) const fn secret(
    name: &'static str,
    kind: SettingKind,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> SettingSpec {
    SettingSpec { secret: true, ..key(name, kind, default, meaning, example) }
}
