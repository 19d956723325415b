//! Agents: what a turn asks of a CLI, what comes of it, and the CLIs themselves, each as data and a dialect.
//!
//! Nothing here knows WTT frames. Dialects and specs do no I/O; [`runner`] is the only place that does.

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
use std::ffi::OsString;
use std::path::PathBuf;

/// One turn, as the agent gets it.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// The whole prompt.
    pub prompt: String,
    /// Working directory, which exists.
    pub workdir: PathBuf,
    /// Model id as the CLI expects it.
    pub model: Option<String>,
    /// Reasoning effort.
    pub effort: Option<String>,
    /// Permission mode.
    pub mode: Mode,
    /// Native session id to resume.
    pub resume: Option<String>,
    /// The prompt for a fresh session, which includes the standing instructions; for the case that the CLI no longer knows
    /// the session to resume.
    pub fresh_prompt: Option<String>,
    /// Images that came with the message.
    pub images: Vec<PromptImage>,
    /// `WTT_CONNECT_<ADAPTER>_TRANSPORT`, for CLIs with more than one protocol; `None` leaves the choice to the spec.
    pub transport: Option<String>,
    /// The prompt is a command for the CLI itself ([`slash_commands`]): it begins with a slash and must stay as it is.
    pub is_slash_command: bool,
}

impl TurnRequest {
    /// Whether the permission mode lets the agent ask before it acts.
    pub fn can_ask(&self) -> bool {
        matches!(self.mode, Mode::AutoEdit | Mode::Suggest)
    }

    /// The session to resume, if its id may be an argument of the CLI.
    pub fn resumable(&self, is_valid: fn(&str) -> bool) -> Option<&str> {
        self.resume.as_deref().filter(|id| is_valid(id))
    }

    /// `--model=…`, if a model is set. One argument, so that the value cannot be taken for an option.
    pub fn model_flag(&self) -> Option<OsString> {
        self.model.as_deref().map(|model| format!("--model={model}").into())
    }

    /// The effort, unless it is a word for the CLI's own default.
    pub fn explicit_effort(&self) -> Option<&str> {
        self.effort.as_deref().filter(|word| !matches!(*word, "" | "default" | "auto"))
    }
}

/// An image that goes to the agent with the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptImage {
    /// The file, absolute.
    pub path: PathBuf,
    /// `image/png` and so on.
    pub media_type: String,
    /// Its contents in base64, which the runner adds for specs with `image_data`.
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
    /// As it is stored in the state file.
    pub fn to_json(self) -> Value {
        json!({ "input": self.input, "cached": self.cached, "output": self.output })
    }

    /// The sum of both, at most the greatest number.
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
        }
    }

    /// The sum; `None` counts as nothing, unless both are `None`.
    pub fn sum(a: Option<Usage>, b: Option<Usage>) -> Option<Usage> {
        let (Some(x), Some(y)) = (a, b) else { return a.or(b) };
        Some(x.plus(y))
    }

    /// Reads the form of [`Usage::to_json`].
    pub fn from_json(value: &Value) -> Option<Usage> {
        let count = |name| value.get(name)?.as_u64();
        Some(Usage { input: count("input")?, cached: count("cached")?, output: count("output")? })
    }
}

/// What a tool call does, which selects the kind of its status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// A shell command.
    Command,
    /// A web search.
    WebSearch,
    /// Anything else.
    Tool,
}

/// What happens during a turn, in the same terms for every CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// The native session id, once it is known and can be resumed safely.
    Session(String),
    /// The model turn has begun.
    Started,
    /// Visible text, a piece or a whole message. It is only progress: the answer is in the outcome.
    Text(String),
    /// Reasoning; never published.
    Thought(String),
    /// A tool call has begun.
    Tool {
        /// The CLI's id of the call.
        id: String,
        /// Kind.
        kind: ToolKind,
        /// One line: the command, the query, or the tool with its main argument.
        title: String,
    },
    /// A tool call has ended.
    ToolEnd {
        /// The CLI's id of the call.
        id: String,
        /// Whether it succeeded.
        ok: bool,
    },
    /// The CLI repeats a request to its provider, for this reason.
    Retry(String),
    /// The turn waits for the next clock minute, in which the native session can be loaded again.
    Waiting,
    /// The CLI no longer knows the native session, for this reason; the turn runs once more in a fresh one.
    FreshSession(String),
    /// The permission mode has refused a tool; one line that says which. The user is told.
    Denied(String),
    /// A remark for the debug log.
    Note(String),
}
