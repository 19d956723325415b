//! How a turn ends: the closed list of outcomes and failure reasons, and what follows from each.

use crate::agent::{Usage, spec};
use std::time::Duration;

/// Exactly one of these ends a turn of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The terminal outcome.
    pub outcome: Outcome,
    /// Native session id to remember, if one is known and resumable.
    pub session: Option<String>,
    /// Tokens of this turn.
    pub usage: Option<Usage>,
    /// Thread totals that the next turn must subtract (codex); stored beside the session id.
    pub usage_total: Option<Usage>,
}

impl Report {
    /// Of a turn whose agent was never started.
    pub fn unbegun(outcome: Outcome) -> Report {
        Report { outcome, session: None, usage: None, usage_total: None }
    }
}

/// The terminal outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
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

/// Why a turn failed: the closed list of design/peers.md.
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

/// What to do with the native session after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Keep it; the next message resumes.
    Resume,
    /// Forget it; the next message starts fresh.
    Fresh,
    /// Forget it and run this turn once more at once.
    RetryFresh,
}

impl Reason {
    /// What follows. A session is given up only when the CLI does not know it or cannot use it any more.
    pub fn next(&self) -> Next {
        match self {
            Reason::StaleSession => Next::RetryFresh,
            Reason::ContextOverflow | Reason::PoisonedSession => Next::Fresh,
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
            | Reason::Internal => Next::Resume,
        }
    }

    /// What the user reads: cause and remedy, then the CLI's own words. `adapter` is the display name; `detail` may be
    /// empty (for time limits it is the limit).
    pub fn sentence(&self, adapter: &str, detail: &str) -> String {
        let spec = spec::ADAPTERS.iter().find(|spec| spec.title == adapter);
        let install = spec.map_or("install it on the machine of this agent", |spec| spec.install);
        let login = spec.map_or("Log in on the machine of this agent.", |spec| spec.login);
        let limit = if detail.is_empty() { "the time limit" } else { detail };
        let said = |text: String| if detail.is_empty() { text } else { format!("{text} ({detail})") };
        match self {
            Reason::CliMissing => said(format!("{adapter} was not found on this machine; {install}.")),
            Reason::CliUnsupported => said(format!(
                "The installed {adapter} could not be started the way wtt-connect needs it. Update it, then run `wtt-connect doctor`."
            )),
            Reason::NotLoggedIn => said(format!("{adapter} is not logged in. {login}")),
            Reason::AuthRejected => said(format!("The provider of {adapter} rejected its login. {login}")),
            Reason::Quota => {
                said(format!("{adapter} has no credit left. Top up or raise the limit of its account."))
            }
            Reason::UsageLimit(Some(reset)) => said(format!(
                "{adapter} has reached its usage limit, which resets in {}. Send the message again then.",
                rough(*reset)
            )),
            Reason::UsageLimit(None) => said(format!(
                "{adapter} has reached its usage limit. Send the message again when it has reset."
            )),
            Reason::RateLimited => {
                said(format!("The provider of {adapter} gets too many requests. Try again in a minute."))
            }
            Reason::ProviderError => said(format!(
                "The provider of {adapter} failed to answer. Try again; if it stays so, try another model."
            )),
            Reason::Network => said(format!(
                "{adapter} could not reach its provider. Check the network and proxy of this machine."
            )),
            Reason::ContextOverflow => said(format!(
                "This conversation has grown too long for {adapter}. Your next message starts a fresh session."
            )),
            Reason::PoisonedSession => said(format!(
                "The provider of {adapter} refuses this conversation. Your next message starts a fresh session."
            )),
            Reason::StaleSession => said(format!(
                "{adapter} no longer knows this conversation. Your next message starts a fresh session."
            )),
            Reason::NoOutput => {
                said(format!("{adapter} finished without an answer. Ask again, perhaps in other words."))
            }
            Reason::SilentExit(code) => said(format!(
                "{adapter} ended with exit code {code} and without an answer. `wtt-connect doctor` checks the installation."
            )),
            Reason::Killed(signal) => said(format!(
                "{adapter} was ended by {} from outside before it could answer. Send the message again.",
                signal_name(*signal)
            )),
            Reason::OutOfMemory => said(format!(
                "The system ended {adapter} because memory ran out. Free some memory on this machine and try again."
            )),
            Reason::FirstEventTimeout => format!(
                "{adapter} gave no sign of life within {limit} and was stopped. Check its login and network, then try again."
            ),
            Reason::IdleTimeout => format!(
                "{adapter} fell silent for {limit} and was stopped. Send *continue* to let it go on from here."
            ),
            Reason::TotalTimeout => format!(
                "{adapter} worked for {limit}, the limit of one turn, and was stopped. Send *continue* to let it go on."
            ),
            Reason::WorkdirUnusable => said(
                "The working directory cannot be used. Set WTT_CONNECT_WORKDIR to one that exists."
                    .to_owned(),
            ),
            Reason::SwitcherFailed => said(
                "The model switcher failed, so nothing was run. Check the WTT_CONNECT_MODEL_SWITCH settings."
                    .to_owned(),
            ),
            Reason::RefusedByPolicy => match detail {
                "" => format!(
                    "{adapter} refused to run this. `wtt-connect doctor` shows the settings that apply."
                ),
                _ => format!("{adapter} refused to run this: {detail}"),
            },
            Reason::Internal => match detail {
                "" => {
                    format!("wtt-connect itself failed while running {adapter}. Its log says why; try again.")
                }
                _ => format!(
                    "wtt-connect itself failed while running {adapter}: {detail}. Try again in a moment."
                ),
            },
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

/// A duration for people: its two largest units.
fn rough(d: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(d.as_secs().max(1))).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn signal_name(signal: i32) -> String {
    match signal {
        2 => "SIGINT".to_owned(),
        6 => "SIGABRT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Reason] = &[
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

    #[test]
    fn every_reason_says_what_to_do() {
        for reason in ALL {
            for detail in ["", "own words"] {
                let sentence = reason.sentence("Codex", detail);
                assert!(sentence.len() > 30 && sentence.contains(detail), "{}: {sentence}", reason.word());
                assert!(!sentence.contains('\n') && !sentence.contains("  "), "{sentence}");
                assert!(sentence.ends_with(['.', ')']) || sentence.ends_with(detail), "{sentence}");
            }
        }
        let words: std::collections::BTreeSet<_> = ALL.iter().map(Reason::word).collect();
        assert_eq!(words.len(), ALL.len() - 1, "one word each; the usage limit stands here twice");
    }

    #[test]
    fn sentences_name_the_remedy_of_the_adapter() {
        assert!(Reason::NotLoggedIn.sentence("Codex", "").contains("codex login"));
        assert!(Reason::CliMissing.sentence("Claude Code", "").contains("@anthropic-ai/claude-code"));
        let limit = Reason::UsageLimit(Some(Duration::from_secs(11_100))).sentence("Codex", "");
        assert!(limit.contains("resets in 3h 5m"), "{limit}");
        assert!(Reason::IdleTimeout.sentence("Codex", "20m").contains("silent for 20m"));
    }

    #[test]
    fn sessions_are_given_up_for_three_reasons_only() {
        let given_up: Vec<_> = ALL.iter().filter(|r| r.next() != Next::Resume).map(Reason::word).collect();
        assert_eq!(given_up, ["context_overflow", "poisoned_session", "stale_session"]);
        assert_eq!(Reason::StaleSession.next(), Next::RetryFresh);
    }
}
