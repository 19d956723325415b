//! Which slash commands an agent takes from us, and in which of its ways to be spoken to. Data and one pure function.
//!
//! Seen with the releases of `tests/fixtures/README.md`: Claude Code reads a command at the beginning of a one-shot prompt (in
//! the two-way form it does not say when it has taken it up); Codex has a request for each in its app-server, pi has one
//! in its RPC mode; an ACP agent reads it at the beginning of the prompt, and announces its list. The others pass it to
//! the model as text.

use crate::agent::spec::AdapterSpec;
use crate::agent::{Request, acp};

/// How a command goes to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As the prompt, whatever it is called. The transport that it needs, if not the usual one.
    Prompt(Option<&'static str>),
    /// By a request of its own, if it is one of these; in this transport.
    Only(&'static [&'static str], &'static str),
    /// Not at all.
    None,
}

/// The way of an agent, for a turn like this one.
pub fn way(spec: &AdapterSpec, request: &Request) -> Way {
    match spec.name {
        "claude-code" => Way::Prompt(Some("one-shot")),
        "codex" => Way::Only(&["/compact", "/review"], "app-server"),
        "pi" => Way::Only(&["/compact"], "rpc"),
        "acp" | "devin" | "iflow" => Way::Prompt(None),
        "gemini" | "qoder" | "opencode" | "kimi" | "cursor" if acp::is_chosen(request) => Way::Prompt(None),
        _ => Way::None,
    }
}
