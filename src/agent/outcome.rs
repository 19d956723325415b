//! How a turn ends: the closed list of outcomes and failure reasons, and what follows from each.

use crate::agent::Usage;
use std::time::Duration;

/// Exactly one of these ends a turn of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnReport {
    /// The terminal outcome.
    pub outcome: AgentOutcome,
    /// Native session id to remember, if one is known and resumable.
    pub session: Option<String>,
    /// Tokens of this turn.
    pub usage: Option<Usage>,
    /// Thread totals that the next turn must subtract (codex); stored beside the session id.
    pub usage_total: Option<Usage>,
}

impl TurnReport {
    /// Of a turn whose agent was never started.
    pub fn not_started(outcome: AgentOutcome) -> TurnReport {
        TurnReport { outcome, session: None, usage: None, usage_total: None }
    }
}

/// The terminal outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentOutcome {
    /// The answer.
    Done(String),
    /// No answer, with the reason, and the text that was there already (may be empty).
    Failed {
        /// Why.
        reason: Reason,
        /// The CLI's own words, one short line; may be empty.
        detail: String,
        /// What the agent had said before.
        partial: String,
    },
    /// Stopped on request; everything of it is gone.
    Cancelled {
        /// What the agent had said before.
        partial: String,
    },
}

/// Why a turn failed: a closed list.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// The program is not installed.
    CliMissing,
    /// Its version or flags are not ones that we can drive.
    CliUnsupported,
    /// No login.
    NotLoggedIn,
    /// The provider refuses the credentials.
    AuthRejected,
    /// Out of credit.
    Quota,
    /// A limit that resets, in so long if known.
    UsageLimit(Option<Duration>),
    /// Too many requests.
    RateLimited,
    /// The provider failed.
    ProviderError,
    /// The provider could not be reached.
    Network,
    /// The conversation is too long.
    ContextOverflow,
    /// The session makes every request fail.
    PoisonedSession,
    /// The CLI does not know the session.
    StaleSession,
    /// It ended well, and said nothing.
    NoOutput,
    /// It ended with this code without saying why.
    SilentExit(i32),
    /// A signal ended it.
    Killed(i32),
    /// The kernel ended it for memory.
    OutOfMemory,
    /// Nothing within the first-event limit.
    FirstEventTimeout,
    /// Nothing within the idle limit.
    IdleTimeout,
    /// The total limit.
    TotalTimeout,
    /// The working directory cannot be used.
    WorkdirUnusable,
    /// The model switcher failed.
    SwitcherFailed,
    /// A policy refuses the run.
    RefusedByPolicy,
    /// Our own fault.
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

/// What to do with the native session after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAction {
    /// Keep it; the next message resumes.
    Keep,
    /// Forget it; the next message starts fresh.
    Forget,
    /// Forget it and run this turn once more at once.
    ForgetAndRetry,
}

impl Reason {
    /// What follows. A session is given up only when the CLI does not know it or cannot use it any more.
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
