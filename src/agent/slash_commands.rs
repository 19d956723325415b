//! Which slash commands an agent takes from us, and in which of its ways to be spoken to. Data and one pure function.
//!
//! Seen with the releases of `tests/fixtures/README.md`, each tried with a command of its own, one of its user's, one that
//! does not exist and `/compact`:
//!
//! - Claude Code reads it at the beginning of a one-shot prompt; in the two-way form it does not say when it has taken
//!   it up. kimi-cli 1 reads all of its own there, and says which it does not know.
//! - Gemini reads `/init` and those of its user there, and no other; over ACP it has another list, without its user's.
//! - Qoder is of that family: by its program's text (1.1.52, which does nothing without a login) it runs those that it has
//!   and says which it does not know.
//! - `opencode run` and `kimi -p` give it to the model as text, but their ACP takes it, in the same session.
//! - Codex has a request for each in its app-server, and nothing else. pi has one for `/compact` in its RPC mode, where
//!   it also lists what its user has added (templates, skills, extensions).
//! - An ACP agent reads it at the beginning of the prompt, and announces its list.
//! - Crush and Cursor in their one-shot forms: nothing is known, so nothing is tried.

use crate::agent::TurnRequest;
use crate::agent::adapter::AdapterSpec;
use crate::agent::adapters::acp::dialect;

/// How a command goes to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlashSupport {
    /// As the prompt, whatever it is called. The transport that it needs, if not the usual one.
    Prompt(Option<&'static str>),
    /// By a request of its own, if it is one of these; in this transport.
    Only(&'static [&'static str], &'static str),
    /// As the prompt, but it cannot be told to compact.
    NoCompact,
    /// Not at all.
    None,
}

/// The way of an agent, for a turn like this one.
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

/// The answer to a command that is not in the agent's list; neither begins with a slash here.
pub fn unknown_command_text(name: &str, known: &[String]) -> String {
    ["`/", name, "` is none of this agent's commands. It has: /", &known.join(", /"), "."].concat()
}
