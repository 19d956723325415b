//! The history of the prompt across starts: where it is kept, and what is not recorded.

use crate::config::Selection;
use crate::session::chat_command;
use crate::sys::log::redact;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Entries that are kept: more than anybody scrolls back, and the file stays small.
pub(super) const ENTRIES_MAX: usize = 500;
/// A longer entry was pasted, and nobody looks for it here.
const ENTRY_BYTES_MAX: usize = 8 * 1024;
/// The name of the file, beside the state directories of the profiles.
const FILE: &str = "try_history";
/// Commands of the chat itself that are worth bringing back.
const LOCAL_COMMANDS: &[&str] = &["/help", "/attach"];
/// Those that are not.
const QUIT_COMMANDS: &[&str] = &["/quit", "/exit"];
/// How keys and tokens of well-known services begin.
const TOKEN_PREFIXES: &[&str] = &[
    "wtt-tok-",
    "wtt-user-",
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "AIza",
    "ya29.",
    "eyJ",
    "npm_",
    "-----BEGIN",
];
/// Words that stand before a secret. In a longer name, too: `OPENAI_API_KEY`.
const SECRET_NAMES: &[&str] = &[
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "api key",
    "bearer",
    "密码",
    "口令",
    "令牌",
    "密钥",
];

/// `~/.local/state/wtt-connect/try_history`; none without a home.
pub(super) fn path() -> Option<PathBuf> {
    Selection::from_process().places().state_dir(FILE).ok()
}

/// Makes the folder of the file, which only its owner can enter.
pub(super) fn make_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether a line may be kept. Not one that begins with a space, as in shells; not one that may hold a secret; and no
/// command with arguments but those that are known to take none, because `/token …` may be one of the agent's own.
pub(super) fn is_recorded(line: &str) -> bool {
    let is_worthless = line.trim().is_empty() || QUIT_COMMANDS.contains(&line.trim());
    if line.len() > ENTRY_BYTES_MAX || is_worthless || line.starts_with(char::is_whitespace) {
        return false;
    }
    if line.starts_with(['/', '／']) && !is_harmless_command(line) {
        return false;
    }
    !may_hold_a_secret(line)
}

fn is_harmless_command(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    line.trim() == first || LOCAL_COMMANDS.contains(&first) || chat_command::parse(line).is_some()
}

fn may_hold_a_secret(line: &str) -> bool {
    let words = line
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ':' | '`' | ',' | '(' | '/'));
    let is_token =
        |word: &str| TOKEN_PREFIXES.iter().any(|prefix| word.starts_with(prefix) && word.len() > 12);
    let lower = line.to_ascii_lowercase();
    let is_named = SECRET_NAMES.iter().any(|name| {
        lower.match_indices(name).any(|(at, _)| {
            let rest = lower[at + name.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            rest.trim_start_matches(['"', '\'', ' ']).starts_with([':', '：', '=', '是'])
                || rest.trim_start().starts_with("is ")
        })
    });
    words.clone().any(is_token) || is_named || redact(line) != line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_unknown_commands_are_not_recorded() {
        for line in [
            "/token abc",
            "/login hunter2",
            "／token abc",
            " a line that begins with a space",
            "",
            "my token is hunter2",
            "OPENAI_API_KEY=hunter2 make",
            "use the password: hunter2",
            "curl -H 'Authorization: Bearer abc'",
            "sk-proj-0123456789abcdef",
            "it is `ghp_0123456789abcdef`",
            "{\"api_key\": \"x\"}",
            "https://h/x?token=abc",
        ] {
            assert!(!is_recorded(line), "{line:?}");
        }
        assert!(!is_recorded(&"x".repeat(ENTRY_BYTES_MAX + 1)));
    }

    #[test]
    fn messages_and_known_commands_are_recorded() {
        for line in [
            "why does the page look like this?",
            "two\nlines",
            "/status",
            "/model gpt-5.5 high",
            "/attach shot.png",
            "/review",
            "how many tokens did this take?",
            "explain the password reset flow",
        ] {
            assert!(is_recorded(line), "{line:?}");
        }
    }
}
