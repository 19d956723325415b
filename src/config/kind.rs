//! The kinds of values of settings: what each accepts, in words and as a check. Pure: no file is read.

use super::adapter_names::list_adapters;
use crate::config::{model_switch, permissions, value};

/// The kind of value that a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text on one line.
    Text,
    /// `http://` or `https://` address.
    BaseUrl,
    /// `ws://` or `wss://` address.
    WsUrl,
    /// Agent id; becomes part of file names.
    AgentId,
    /// A token; it is sent in HTTP headers.
    Token,
    /// One adapter name.
    Adapter,
    /// Adapter names, separated by commas.
    Adapters,
    /// A file or directory; `~/` is the home directory.
    Path,
    /// A permission mode.
    Mode,
    /// Words, separated by commas.
    List,
    /// Yes or no.
    Flag,
    /// Whole seconds.
    Seconds {
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// Whole minutes.
    Minutes {
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// A whole number.
    Number {
        /// The minimum.
        min: u64,
        /// The maximum.
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
    /// Model patterns with adapters and providers, as a JSON object.
    ProviderMap,
    /// Permission rules as JSON, or the path of a file with them.
    Permissions,
    /// Log filter.
    Filter,
}

impl SettingKind {
    /// What is accepted, as the text after "accepted:" in a message.
    pub fn accepts(&self) -> String {
        match self {
            SettingKind::Text => "text on one line".into(),
            SettingKind::BaseUrl => "an http:// or https:// address without user, query and fragment".into(),
            SettingKind::WsUrl => "a ws:// or wss:// address without user, query and fragment".into(),
            SettingKind::AgentId => {
                format!(
                    "1 to {} visible ASCII characters without \"/\", not starting with a dot",
                    value::MAX_ID
                )
            }
            SettingKind::Token => {
                format!("1 to {} visible ASCII characters without blanks", value::MAX_TOKEN)
            }
            SettingKind::Adapter => format!("one of {}", list_adapters()),
            SettingKind::Adapters => format!("names separated by commas, from {}", list_adapters()),
            SettingKind::Path => {
                "a path, absolute, starting with ~/, or relative to the current directory".into()
            }
            SettingKind::Mode => "one of full-auto, auto-edit, yolo, suggest".into(),
            SettingKind::List => "words separated by commas".into(),
            SettingKind::Flag => "one of 1, 0, true, false, yes, no, on, off".into(),
            SettingKind::Seconds { min, max } => format!("whole seconds from {min} to {max}"),
            SettingKind::Minutes { min, max } => format!("whole minutes from {min} to {max}"),
            SettingKind::Number { min, max } => format!("a whole number from {min} to {max}"),
            SettingKind::Command => "a program and its arguments, quoted as in a shell".into(),
            SettingKind::Word(words) => format!("one of {}", words.join(", ")),
            SettingKind::Arguments => format!("a JSON list of texts, in which {}", placeholders()),
            SettingKind::Template => {
                format!("a command line, quoted as in a shell, in whose arguments {}", placeholders())
            }
            SettingKind::ProviderMap => {
                "a JSON object of model patterns, each with an object of adapter and provider".into()
            }
            SettingKind::Permissions => {
                "permission rules as a JSON list, or the path of a file that holds one".into()
            }
            SettingKind::Filter => "error, warn, info, debug, or module=level, separated by commas".into(),
        }
    }

    /// Whether a (trimmed, non-empty) value is accepted.
    pub fn check(&self, text: &str) -> Result<(), String> {
        match self {
            SettingKind::Text => value::text(text).map(drop),
            SettingKind::BaseUrl => value::url(text, value::HTTP).map(drop),
            SettingKind::WsUrl => value::url(text, value::WS).map(drop),
            SettingKind::AgentId => value::agent_id(text).map(drop),
            SettingKind::Token => value::token(text).map(drop),
            SettingKind::Adapter => value::adapter(text).map(drop),
            SettingKind::Adapters => value::adapters(text).map(drop),
            SettingKind::Path => value::text(text).map(drop),
            SettingKind::Mode => value::mode(text).map(drop),
            SettingKind::List => value::text(text).map(drop),
            SettingKind::Flag => value::flag(text).map(drop),
            SettingKind::Seconds { min, max }
            | SettingKind::Minutes { min, max }
            | SettingKind::Number { min, max } => value::number(text, *min, *max).map(drop),
            SettingKind::Command => value::command(text).map(drop),
            SettingKind::Word(words) => value::word(text, words).map(drop),
            SettingKind::Arguments => model_switch::arguments(text).map(drop),
            SettingKind::Template => model_switch::template(text).map(drop),
            SettingKind::ProviderMap => model_switch::map(text).map(drop),
            SettingKind::Permissions if value::is_json(text) => permissions::read(text).map(drop),
            SettingKind::Permissions => value::text(text).map(drop),
            SettingKind::Filter => value::filter(text),
        }
    }
}

fn placeholders() -> String {
    let names: Vec<String> = model_switch::PLACEHOLDERS.iter().map(|name| format!("{{{name}}}")).collect();
    format!("{} stand for values", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::*;

    fn check(kind: SettingKind, good: &[&str], bad: &[&str]) {
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
            SettingKind::BaseUrl,
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
        check(SettingKind::WsUrl, &["wss://a/ws", "ws://127.0.0.1:1"], &["https://a", "wss://"]);
        check(
            SettingKind::AgentId,
            &["agent-001", "a", "agent_x.y"],
            &["", "a b", "a/b", "..", ".x", "ä", "a\n"],
        );
        check(SettingKind::Token, &["wtt-tok-$a#'\"\\"], &["a b", "a\nb", "tök"]);
        check(SettingKind::Adapter, &["codex", "Claude", "claude-code"], &["gpt", "codex,gemini", ""]);
        check(SettingKind::Adapters, &["codex", "codex, claude", "codex,"], &["codex,foo", ","]);
        check(SettingKind::Mode, &["full-auto", "SUGGEST"], &["fast", "full auto"]);
        check(SettingKind::Flag, &["1", "0", "True", "off"], &["2", "ja"]);
        check(SettingKind::Seconds { min: 1, max: 10 }, &["1", "10"], &["0", "11", "-1", "1.5", "1s", ""]);
        check(SettingKind::Command, &["codex", "a 'b c'"], &["a 'b", "''"]);
        check(
            SettingKind::Filter,
            &["info", "debug,tungstenite=warn", "warn,wtt_connect::session=debug", "TRACE"],
            &["verbose", "x=loud", "info;debug"],
        );
        check(SettingKind::Text, &["gpt-5.5", "中文"], &["a\nb", "\u{1b}[0m"]);
    }

    #[test]
    fn a_mistake_is_named_with_a_hint() {
        assert_eq!(mode("sugest"), Err("\"sugest\" is not a mode (did you mean suggest?)".to_owned()));
        assert_eq!(adapter("emacs"), Err("\"emacs\" is not an adapter".to_owned()));
        let address = |text| SettingKind::BaseUrl.check(text).unwrap_err();
        assert_eq!(
            address("127.0.0.1:9"),
            "\"127.0.0.1:9\" does not begin with http:// or https://; write http://127.0.0.1:9"
        );
        assert!(address("waxbyte.com").ends_with("; write https://waxbyte.com"));
        assert!(address("ftp://a").ends_with("begin with http:// or https://"));
        assert!(address("https://a b").ends_with("is not the address of a service"));
        let seconds = |text| SettingKind::Seconds { min: 1, max: 9 }.check(text).unwrap_err();
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
