//! How an agent's turn ends: the closed lists of outcomes and failure reasons, and what each means for the native session.
//!
//! Four types say how something ends, each for another reader. `runner::termination::StopCause`: why the runner ends the
//! process. [`AgentOutcome`]: what became of the agent's work, with its text. [`crate::session::turn::TurnEnd`]: what became
//! of the user's message, which may also be refused, interrupted by a restart or deferred.
//! [`crate::store::outbox::ReplyKind`]: the word for it in the reply's metadata, stored and sent; it also covers replies
//! that end no turn.

use crate::agent::Usage;
use std::time::Duration;

/// The report of an agent's turn; there is exactly one for each turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnReport {
    /// How it ended.
    pub outcome: AgentOutcome,
    /// Native session id to store, if one is known and can be resumed.
    pub session: Option<String>,
    /// Tokens of this turn.
    pub usage: Option<Usage>,
    /// Token totals of the thread, which the next turn must subtract (codex); stored with the session id.
    pub usage_total: Option<Usage>,
}

impl TurnReport {
    /// The report of a turn whose agent was not started.
    pub fn not_started(outcome: AgentOutcome) -> TurnReport {
        TurnReport { outcome, session: None, usage: None, usage_total: None }
    }
}

/// How an agent's turn ended.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentOutcome {
    /// The agent has answered with this text.
    Done(String),
    /// There is no answer.
    Failed {
        /// Why.
        reason: Reason,
        /// The CLI's own message, one short line; may be empty.
        detail: String,
        /// The text of the agent so far; may be empty.
        partial: String,
    },
    /// The turn was stopped on request, and all its processes are gone.
    Cancelled {
        /// The text of the agent so far; may be empty.
        partial: String,
    },
}

/// Why a turn failed. The list is closed: every failure of every CLI becomes one of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// The CLI is not installed.
    CliMissing,
    /// The connector cannot run this version of the CLI.
    CliUnsupported,
    /// The CLI is not logged in.
    NotLoggedIn,
    /// The provider rejects the credentials.
    AuthRejected,
    /// The account has no credit left.
    Quota,
    /// A usage limit is reached; it resets after this time, if known.
    UsageLimit(Option<Duration>),
    /// The provider received too many requests.
    RateLimited,
    /// The provider has failed.
    ProviderError,
    /// The provider could not be reached.
    Network,
    /// The conversation is too long.
    ContextOverflow,
    /// The history of the session makes the provider refuse every request.
    PoisonedSession,
    /// The CLI does not know the session.
    StaleSession,
    /// The CLI ended well but said nothing.
    NoOutput,
    /// The CLI ended with this exit code without saying why.
    SilentExit(i32),
    /// This signal ended the CLI.
    Killed(i32),
    /// The kernel killed the CLI for want of memory.
    OutOfMemory,
    /// Nothing came within the first-event limit.
    FirstEventTimeout,
    /// Nothing more came within the idle limit.
    IdleTimeout,
    /// The total limit has expired.
    TotalTimeout,
    /// The working directory cannot be used.
    WorkdirUnusable,
    /// The model switcher failed.
    SwitcherFailed,
    /// The CLI or the permission mode refuses the run.
    RefusedByPolicy,
    /// A defect of the connector, or of the system it runs on.
    Internal,
}

#[cfg(test)]
pub(crate) const ALL: &[Reason] = &[
    Reason::CliMissing,
    Reason::CliUnsupported,
    Reason::NotLoggedIn,
    Reason::AuthRejected,
    Reason::Quota,
    Reason::UsageLimit(None),
    Reason::UsageLimit(Some(Duration::from_secs(11_100))),
    Reason::RateLimited,
    Reason::ProviderError,
    Reason::Network,
    Reason::ContextOverflow,
    Reason::PoisonedSession,
    Reason::StaleSession,
    Reason::NoOutput,
    Reason::SilentExit(3),
    Reason::Killed(9),
    Reason::OutOfMemory,
    Reason::FirstEventTimeout,
    Reason::IdleTimeout,
    Reason::TotalTimeout,
    Reason::WorkdirUnusable,
    Reason::SwitcherFailed,
    Reason::RefusedByPolicy,
    Reason::Internal,
];

/// What happens to the native session after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAction {
    /// Keep it: the next message resumes it.
    Keep,
    /// Forget it: the next message starts a fresh one.
    Forget,
    /// Forget it, and run this turn once more at once.
    ForgetAndRetry,
}

impl Reason {
    /// What happens to the session. It is given up only if the CLI does not know it or can no longer use it.
    pub fn session_action(&self) -> SessionAction {
        match self {
            Reason::StaleSession => SessionAction::ForgetAndRetry,
            Reason::ContextOverflow | Reason::PoisonedSession => SessionAction::Forget,
            Reason::CliMissing
            | Reason::CliUnsupported
            | Reason::NotLoggedIn
            | Reason::AuthRejected
            | Reason::Quota
            | Reason::UsageLimit(_)
            | Reason::RateLimited
            | Reason::ProviderError
            | Reason::Network
            | Reason::NoOutput
            | Reason::SilentExit(_)
            | Reason::Killed(_)
            | Reason::OutOfMemory
            | Reason::FirstEventTimeout
            | Reason::IdleTimeout
            | Reason::TotalTimeout
            | Reason::WorkdirUnusable
            | Reason::SwitcherFailed
            | Reason::RefusedByPolicy
            | Reason::Internal => SessionAction::Keep,
        }
    }

    /// The word for logs and status, e.g. `cli_missing`.
    pub fn word(&self) -> &'static str {
        match self {
            Reason::CliMissing => "cli_missing",
            Reason::CliUnsupported => "cli_unsupported",
            Reason::NotLoggedIn => "not_logged_in",
            Reason::AuthRejected => "auth_rejected",
            Reason::Quota => "quota",
            Reason::UsageLimit(_) => "usage_limit",
            Reason::RateLimited => "rate_limited",
            Reason::ProviderError => "provider_error",
            Reason::Network => "network",
            Reason::ContextOverflow => "context_overflow",
            Reason::PoisonedSession => "poisoned_session",
            Reason::StaleSession => "stale_session",
            Reason::NoOutput => "no_output",
            Reason::SilentExit(_) => "silent_exit",
            Reason::Killed(_) => "killed",
            Reason::OutOfMemory => "out_of_memory",
            Reason::FirstEventTimeout => "first_event_timeout",
            Reason::IdleTimeout => "idle_timeout",
            Reason::TotalTimeout => "total_timeout",
            Reason::WorkdirUnusable => "workdir_unusable",
            Reason::SwitcherFailed => "switcher_failed",
            Reason::RefusedByPolicy => "refused_by_policy",
            Reason::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_given_up_for_three_reasons_only() {
        let given_up: Vec<_> =
            ALL.iter().filter(|r| r.session_action() != SessionAction::Keep).map(Reason::word).collect();
        assert_eq!(given_up, ["context_overflow", "poisoned_session", "stale_session"]);
        assert_eq!(Reason::StaleSession.session_action(), SessionAction::ForgetAndRetry);
        let words: std::collections::BTreeSet<_> = ALL.iter().map(Reason::word).collect();
        assert_eq!(words.len(), ALL.len() - 1, "one word each; the usage limit stands here twice");
    }
}
