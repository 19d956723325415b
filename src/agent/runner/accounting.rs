//! Collects what the report of a turn contains: the native session id and the tokens, which some CLIs count for the
//! whole thread.

use crate::agent::dialect::DialectEffects;
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::{AgentEvent, TurnRequest, Usage, limit_reset};
use crate::config::Mode;
use crate::sys::time;
use jiff::ZonedDateTime;

/// What is known about the turn for its report.
pub(crate) struct Accounting<'r> {
    request: &'r TurnRequest,
    session: Option<String>,
    usage: Option<Usage>,
    /// Totals of the thread including this turn.
    thread_usage: Option<Usage>,
    /// Totals of the thread before this turn.
    usage_before: Option<Usage>,
}

impl<'r> Accounting<'r> {
    /// For a turn of this request; `usage_before` are the totals of the thread to resume.
    pub(crate) fn new(request: &'r TurnRequest, usage_before: Option<Usage>) -> Self {
        Self { request, session: None, usage: None, thread_usage: None, usage_before }
    }

    /// The permission mode of the turn.
    pub(crate) fn mode(&self) -> Mode {
        self.request.mode
    }

    /// Sets the native session id that we have chosen ourselves.
    pub(crate) fn set_session(&mut self, id: &str) {
        self.session = Some(id.to_owned());
    }

    /// Takes the tokens and the native session id out of a dialect's effects.
    pub(crate) fn record(&mut self, effects: &mut DialectEffects) {
        self.usage = effects.usage.take().or(self.usage);
        self.thread_usage = effects.usage_total.take().or(self.thread_usage);
        for event in &effects.events {
            if let AgentEvent::Session(id) = event {
                self.session = Some(id.clone());
            }
        }
    }

    /// The report of a turn that has ended with this outcome.
    pub(crate) fn report(&mut self, outcome: AgentOutcome) -> TurnReport {
        let outcome = resolve_reset_time(outcome, &ZonedDateTime::now());
        let keep = match &outcome {
            AgentOutcome::Failed { reason, .. } => reason.session_action() == SessionAction::Keep,
            AgentOutcome::Done(_) | AgentOutcome::Cancelled { .. } => true,
        };
        let session = self.session.take().or_else(|| self.request.resume.clone()).filter(|_| keep);
        let usage = self.usage.or_else(|| {
            usage_since(self.thread_usage?, self.request.resume.as_ref().map(|_| self.usage_before))
        });
        // If this turn counted nothing, the next one still subtracts the totals of the earlier turns.
        let usage_total = self.thread_usage.or(self.usage_before).filter(|_| session.is_some());
        TurnReport { outcome, session, usage, usage_total }
    }
}

/// Replaces the reset time in the words of a usage limit by the time that remains; dialects have no clock to do so.
fn resolve_reset_time(outcome: AgentOutcome, now: &ZonedDateTime) -> AgentOutcome {
    match outcome {
        AgentOutcome::Failed { reason: Reason::UsageLimit(None), detail, partial } => {
            let left = limit_reset::time_left(&detail, now, &time::zone);
            let detail = match left {
                Some(_) => limit_reset::without_epoch(&detail).to_owned(),
                None => detail,
            };
            AgentOutcome::Failed { reason: Reason::UsageLimit(left), detail, partial }
        }
        other => other,
    }
}

/// This turn's share of a thread's total. `before` is `None` for a new thread and `Some(None)` for a resumed one whose
/// earlier total is unknown; the share is then unknown as well.
fn usage_since(total: Usage, before: Option<Option<Usage>>) -> Option<Usage> {
    let before = before.unwrap_or_else(|| Some(Usage::default()))?;
    let share = || {
        Some(Usage {
            input: total.input.checked_sub(before.input)?,
            cached: total.cached.checked_sub(before.cached)?,
            output: total.output.checked_sub(before.output)?,
        })
    };
    // A total smaller than before means that the CLI has started to count anew.
    Some(share().unwrap_or(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_limit_that_resets_by_the_clock() {
        let limit = |detail: &str| AgentOutcome::Failed {
            reason: Reason::UsageLimit(None),
            detail: detail.to_owned(),
            partial: String::new(),
        };
        let reset = |message: &str, now: &str| resolve_reset_time(limit(message), &now.parse().unwrap());
        let AgentOutcome::Failed { reason, detail, .. } =
            reset("reached|1760000000", "2025-10-09T08:52:20Z[UTC]")
        else {
            panic!("still a failure");
        };
        assert_eq!((reason, detail.as_str()), (Reason::UsageLimit(Some(Duration::from_secs(60))), "reached"));
        assert_eq!(
            reset("reached|1760000000", "2026-02-02T02:40:00Z[UTC]"),
            limit("reached|1760000000"),
            "in the past"
        );
        assert_eq!(reset("reached", "2026-02-02T02:40:00Z[UTC]"), limit("reached"));
        let AgentOutcome::Failed { reason, .. } =
            reset("resets 3pm (UTC)", "2026-02-02T15:00:00+01:00[Europe/Berlin]")
        else {
            panic!("still a failure");
        };
        assert_eq!(reason, Reason::UsageLimit(Some(Duration::from_secs(3600))), "by the clock on the wall");
    }

    #[test]
    fn a_turns_share_of_a_threads_tokens() {
        let usage = |input, cached, output| Usage { input, cached, output };
        let total = usage(320, 30, 60);
        assert_eq!(usage_since(total, None), Some(total), "a new thread");
        assert_eq!(usage_since(total, Some(Some(usage(211, 20, 40)))), Some(usage(109, 10, 20)));
        assert_eq!(usage_since(total, Some(None)), None, "unknown before");
        assert_eq!(usage_since(total, Some(Some(usage(900, 0, 0)))), Some(total), "the count began anew");
    }
}
