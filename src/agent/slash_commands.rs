//! Which slash commands can be passed to an agent, and over which of its transports. Data and one pure function.
//!
//! Observed with the releases that `tests/fixtures/README.md` lists. Each CLI was tried with a command of its own, one that
//! its user has defined, one that does not exist, and `/compact`:
//!
//! - Claude Code accepts a command at the beginning of a one-shot prompt. In the two-way form it does not say when it has
//!   accepted one. kimi-cli 1 accepts all of its own commands in a one-shot prompt, and reports unknown ones.
//! - Gemini accepts `/init` and user-defined commands in a one-shot prompt, and no others. Over ACP it has another list,
//!   without the user-defined ones.
//! - Qoder is related to Gemini. Judging by the text of its program (1.1.52, which does nothing without a login), it runs
//!   its own commands and reports unknown ones.
//! - `opencode run` and `kimi -p` pass a command to the model as text, but accept it over ACP, in the same session.
//! - Codex has a request for each command in its app-server, and nothing else. pi has one for `/compact` in its RPC mode,
//!   where it also lists what its user has added (templates, skills, extensions).
//! - An ACP agent accepts a command at the beginning of the prompt, and announces its list.
//! - Crush and Cursor in their one-shot forms: nothing is known, so nothing is tried.

use crate::agent::TurnRequest;
use crate::agent::adapter::AdapterSpec;
use crate::agent::adapters::acp::dialect;

/// How a slash command is passed to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlashSupport {
    /// As the prompt, whatever its name. The value is the transport that it needs, if not the default one.
    Prompt(Option<&'static str>),
    /// As a protocol request, if it is one of these commands; over this transport.
    Only(&'static [&'static str], &'static str),
    /// As the prompt, except for `/compact`, which the agent does not accept.
    NoCompact,
    /// Not at all.
    None,
}

/// How slash commands are passed to this agent, for this request.
pub fn slash_support(spec: &AdapterSpec, request: &TurnRequest) -> SlashSupport {
    match spec.name {
        "claude-code" => SlashSupport::Prompt(Some("one-shot")),
        "codex" => SlashSupport::Only(&["/compact", "/review"], "app-server"),
        "pi" => SlashSupport::Prompt(Some("rpc")),
        "opencode" | "kimi" => SlashSupport::Prompt(Some("acp")),
        "acp" | "devin" | "iflow" => SlashSupport::Prompt(None),
        // Its sessions over ACP are not those of its one-shot form.
        "cursor" if request.transport.as_deref() == Some("acp") => SlashSupport::Prompt(None),
        "gemini" | "qoder" if dialect::is_chosen(request) => SlashSupport::Prompt(None),
        "gemini" | "qoder" => SlashSupport::NoCompact,
        _ => SlashSupport::None,
    }
}

/// The answer to a command that is not in the agent's list. The names are without their slashes.
pub fn unknown_command_text(name: &str, known: &[String]) -> String {
    ["This agent has no command `/", name, "`. It has: /", &known.join(", /"), "."].concat()
}
