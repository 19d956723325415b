//! Agents: what a turn asks of a CLI, what comes out of it, and the CLIs themselves as data plus a dialect.
//!
//! Nothing here knows WTT frames. Dialects and specs do no IO; [`run`] is the one place that does.

pub mod adapter;
pub mod adapters;
pub mod classify;
pub mod dialect;
pub mod discovery;
mod elicitation;
pub mod helper_command;
pub mod limit_reset;
pub mod model_switcher;
mod one_shot;
pub mod outcome;
pub mod permission;
pub mod pool;
pub mod runner;
pub mod slash_commands;

use crate::config::Mode;
use serde_json::{Value, json};
use std::path::PathBuf;

/// What one turn asks of an agent.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// The whole prompt.
    pub prompt: String,
    /// Working directory; exists.
    pub workdir: PathBuf,
    /// Model id as the CLI wants it.
    pub model: Option<String>,
    /// Reasoning effort.
    pub effort: Option<String>,
    /// Permission mode.
    pub mode: Mode,
    /// Native session id to resume.
    pub resume: Option<String>,
    /// The prompt for a fresh session, in case the one to resume is not known any more; standing instructions are in it.
    pub fresh_prompt: Option<String>,
    /// Image files for the agent.
    pub images: Vec<PromptImage>,
    /// `WTT_CONNECT_<ADAPTER>_TRANSPORT`, for CLIs that can be spoken to in more than one way; `None` lets the spec choose.
    pub transport: Option<String>,
    /// The prompt is a command for the CLI itself ([`slash`]), so it begins with a slash and stays so.
    pub is_slash_command: bool,
}

/// An image that goes to the agent with the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptImage {
    /// The file, absolute.
    pub path: PathBuf,
    /// `image/png` and so on.
    pub media_type: String,
    /// Its bytes in base64, for CLIs that take them so; read by the runner for specs with `image_data`.
    pub data: Option<String>,
}

/// Tokens of one turn (not of the thread).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
    /// Output tokens.
    pub output: u64,
}

impl Usage {
    /// As the state file keeps it.
    pub fn to_json(self) -> Value {
        json!({ "input": self.input, "cached": self.cached, "output": self.output })
    }

    /// Both together; nothing is known of what is missing.
    pub fn sum(a: Option<Usage>, b: Option<Usage>) -> Option<Usage> {
        let (Some(x), Some(y)) = (a, b) else { return a.or(b) };
        let (input, cached, output) = (x.input + y.input, x.cached + y.cached, x.output + y.output);
        Some(Usage { input, cached, output })
    }

    /// Reads what [`Usage::to_json`] wrote.
    pub fn from_json(value: &Value) -> Option<Usage> {
        let count = |name| value.get(name)?.as_u64();
        Some(Usage { input: count("input")?, cached: count("cached")?, output: count("output")? })
    }
}

/// What a tool call is, for its status kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// A shell command.
    Command,
    /// A web search.
    WebSearch,
    /// Anything else.
    Tool,
}

/// What happens during a turn, in one vocabulary for every CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// The native session id, as soon as it is known and safe to resume.
    Session(String),
    /// The model turn has begun.
    Started,
    /// Visible text (a piece or a whole message); progress only, the outcome holds the answer.
    Text(String),
    /// Reasoning; never published.
    Thought(String),
    /// A tool call began: one line that says what.
    Tool {
        /// The CLI's id of the call.
        id: String,
        /// Kind.
        kind: ToolKind,
        /// Command line, tool name, query.
        title: String,
    },
    /// A tool call ended.
    ToolEnd {
        /// The CLI's id of the call.
        id: String,
        /// Whether it worked.
        ok: bool,
    },
    /// The CLI is retrying its provider.
    Retry(String),
    /// The native session can be loaded again from the next clock minute on; until then the turn waits.
    Waiting,
    /// The native session was not known any more; the turn runs once more in a fresh one, because of this.
    FreshSession(String),
    /// A tool was refused by the permission mode: one line that says which. The user is told.
    Denied(String),
    /// A warning worth a debug line.
    Note(String),
}
