//! The differences of ACP agents, as one table. The protocol does not define the names of modes, and some agents deviate
//! from it. Pure.

use crate::config::Mode;

/// One agent.
#[derive(Debug)]
pub struct Quirks {
    /// What its `agentInfo.name` contains, in lower case.
    agent: &'static str,
    /// Its modes for `full-auto` and `yolo`, best first. Without any of them each permission request is allowed.
    full: &'static [&'static str],
    /// Its modes for `auto-edit`. An empty name at the end permits the current mode, because it asks.
    edit: &'static [&'static str],
    /// Its modes for `suggest`.
    ask: &'static [&'static str],
    /// "Always" ends with the process, although its name does not say so.
    pub always_is_session: bool,
    /// A session whose first turn failed cannot be resumed: the id is stored only after an answer.
    pub late_session: bool,
    /// `session/load` replays the history after its response, up to the list of commands.
    pub replays_late: bool,
    /// A session that is loaded in the clock minute in which it was opened is lost: its files are named by the minute
    /// (`tests/fixtures/acp/gemini-load-after-75s.jsonl`).
    pub once_a_minute: bool,
    /// A slash command that it accepts and does not announce. A command waits for the list, because the agent ignores an
    /// unknown one silently.
    pub unlisted: &'static str,
    /// It prints this, ends the prompt, and works on; a message meanwhile gets no answer. The turn lasts until its next text.
    pub works_on: &'static str,
    /// Where people find the reason of a turn without output.
    pub hint: &'static str,
}

impl Quirks {
    /// The names to look for among the agent's modes, best first.
    pub fn modes(&self, mode: Mode) -> &'static [&'static str] {
        match mode {
            Mode::FullAuto | Mode::Yolo => self.full,
            Mode::AutoEdit => self.edit,
            Mode::Suggest => self.ask,
        }
    }
}

/// An agent without deviations.
const PLAIN: Quirks = Quirks {
    agent: "",
    full: &["yolo", "bypassPermissions", "bypass_permissions", "bypass", "full-access"],
    edit: &["acceptEdits", "accept_edits", "accept-edits", "autoEdit", "auto-edit", "auto_edit"],
    ask: &["ask", "read-only", "plan", "default"],
    always_is_session: false,
    late_session: false,
    replays_late: false,
    once_a_minute: false,
    unlisted: "",
    works_on: "",
    hint: "",
};

/// The first row that matches counts; the last one matches all agents.
static TABLE: &[Quirks] = &[
    // gemini 0.61
    Quirks {
        agent: "gemini",
        full: &["yolo"],
        edit: &["autoEdit"],
        ask: &["default"],
        late_session: true,
        replays_late: true,
        once_a_minute: true,
        ..PLAIN
    },
    // claude-agent-acp 0.100; it offers `bypassPermissions` to root only with IS_SANDBOX=1
    Quirks {
        agent: "claude",
        full: &["bypassPermissions"],
        edit: &["acceptEdits"],
        ask: &["default"],
        ..PLAIN
    },
    // codex-acp 2.6 of agentclientprotocol, codex-acp 0.16 of zed; both end the turn after a denied request. In the default
    // mode a second model decides; zed's `auto` is its sandbox of the workspace.
    Quirks {
        agent: "codex",
        full: &["agent-full-access", "full-access"],
        edit: &["workspace-write", "auto"],
        ask: &["read-only"],
        ..PLAIN
    },
    // opencode 1.18 has no modes for this; its adapter sets OPENCODE_PERMISSION
    Quirks {
        agent: "opencode",
        full: &["build"],
        edit: &["build", ""],
        ask: &["build", ""],
        always_is_session: true,
        unlisted: "compact",
        ..PLAIN
    },
    // kimi-code 2.1, whose `default` writes files of the workspace without asking; and the old kimi-cli 1.51, which has no
    // other mode and asks before everything
    Quirks {
        agent: "kimi",
        full: &["yolo"],
        edit: &["default", ""],
        ask: &["plan"],
        works_on: "Context compaction started",
        hint: "it writes the errors of its provider only to its log, below ~/.kimi-code/logs or ~/.kimi/logs",
        ..PLAIN
    },
    // qwen-code 0.24
    Quirks { agent: "qwen", edit: &["auto-edit", "auto_edit"], ask: &["default"], ..PLAIN },
    // qoder 1.1 (not observed after its login): its adapter sets the mode on the command line
    Quirks { agent: "qoder", edit: &["acceptEdits", "accept_edits", ""], ask: &["default", ""], ..PLAIN },
    // devin; `ask` answers without changing anything
    Quirks { agent: "affogato", full: &["bypass"], edit: &["accept-edits"], ask: &["ask"], ..PLAIN },
    // cursor never asks before an edit, and before a command only if the user's Cursor settings say so: only its reading
    // modes are strict. It writes "always" into the user's configuration.
    Quirks { agent: "cursor", full: &["agent"], edit: &[], ask: &["ask", "plan"], ..PLAIN },
    PLAIN,
];

/// The row of the agent with this name.
pub fn of(name: &str) -> &'static Quirks {
    let name = name.to_ascii_lowercase();
    TABLE.iter().find(|row| name.contains(row.agent)).unwrap_or(&TABLE[TABLE.len() - 1])
}

/// Beginnings of text pieces that are not part of the answer.
pub const NOISE: &[&str] = &["[MODE_UPDATE]", "Config warning: "];

/// Kinds of tool calls without a kind (kimi-cli), by the first word of the title.
pub const KINDS: &[(&str, &str)] = &[
    ("Shell", "execute"),
    ("Bash", "execute"),
    ("WriteFile", "edit"),
    ("StrReplaceFile", "edit"),
    ("ReadFile", "read"),
    ("Glob", "search"),
    ("Grep", "search"),
    ("FetchURL", "fetch"),
];

/// Login methods that need no person: they read a key or an earlier login. (That of gemini would change the user's settings.)
pub const UNATTENDED: &[&str] = &["api-key", "qodercli-login"];

/// Programs that speak ACP only with this argument: `WTT_CONNECT_ACP_COMMAND=qwen` is enough.
pub const PRESETS: &[(&str, &str)] = &[
    ("agent", "acp"),
    ("cursor-agent", "acp"),
    ("devin", "acp"),
    ("gemini", "--acp"),
    ("goose", "acp"),
    ("iflow", "--experimental-acp"),
    ("kimi", "acp"),
    ("opencode", "acp"),
    ("qodercli", "--acp"),
    ("qwen", "--acp"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_what_agents_call_themselves() {
        let full = |name| of(name).modes(Mode::FullAuto)[0];
        assert_eq!(full("@agentclientprotocol/claude-agent-acp"), "bypassPermissions");
        assert_eq!(full("codex-acp"), "agent-full-access");
        assert_eq!(full("Kimi Code CLI"), "yolo");
        assert_eq!(full("OpenCode"), "build");
        assert_eq!(full("affogato"), "bypass");
        assert_eq!(of("").modes(Mode::Suggest), PLAIN.ask);
        assert!(of("Cursor Agent").modes(Mode::AutoEdit).is_empty());
    }
}
