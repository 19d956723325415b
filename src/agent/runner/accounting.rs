//! What a turn's report is made of: the native session id, the tokens, and what a thread's total means for one turn.

use crate::agent::dialect::Effects;
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::{AgentEvent, TurnRequest, Usage, limit_reset};
use crate::sys::time;
use jiff::ZonedDateTime;

/// What is known of the turn for its report.
pub(crate) struct Book<'r> {
    request: &'r TurnRequest,
    session: Option<String>,
    usage: Option<Usage>,
    total: Option<Usage>,
    before: Option<Usage>,
}

impl<'r> Book<'r> {
    pub(crate) fn new(request: &'r TurnRequest, before: Option<Usage>) -> Self {
        Self { request, session: None, usage: None, total: None, before }
    }

    /// The native session id that we chose ourselves.
    pub(crate) fn chosen(&mut self, id: &str) {
        self.session = Some(id.to_owned());
    }

    pub(crate) fn note(&mut self, effects: &mut Effects) {
        self.usage = effects.usage.take().or(self.usage);
        self.total = effects.usage_total.take().or(self.total);
        for event in &effects.events {
            if let AgentEvent::Session(id) = event {
                self.session = Some(id.clone());
            }
        }
    }

    pub(crate) fn report(&mut self, outcome: AgentOutcome) -> TurnReport {
        let outcome = with_reset(outcome, &ZonedDateTime::now());
        let keep = match &outcome {
            AgentOutcome::Failed { reason, .. } => reason.session_action() == SessionAction::Keep,
            AgentOutcome::Done(_) | AgentOutcome::Cancelled { .. } => true,
        };
        let session = self.session.take().or_else(|| self.request.resume.clone()).filter(|_| keep);
        let usage =
            self.usage.or_else(|| since(self.total?, self.request.resume.as_ref().map(|_| self.before)));
        // Totals of earlier turns stay what must be subtracted when this one counted nothing.
        let usage_total = self.total.or(self.before).filter(|_| session.is_some());
        TurnReport { outcome, session, usage, usage_total }
    }
}

/// Reads the time at which a usage limit resets, for which the dialects have no clock.
fn with_reset(outcome: AgentOutcome, now: &ZonedDateTime) -> AgentOutcome {
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

/// This turn's share of a thread's total. `before` is `None` for a new thread, `Some(None)` for a resumed one whose
/// earlier total is unknown: then nothing can be said.
fn since(total: Usage, before: Option<Option<Usage>>) -> Option<Usage> {
    let before = before.unwrap_or_else(|| Some(Usage::default()))?;
    let share = || {
        Some(Usage {
            input: total.input.checked_sub(before.input)?,
            cached: total.cached.checked_sub(before.cached)?,
            output: total.output.checked_sub(before.output)?,
        })
    };
    // Smaller than before: the count began anew.
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
        let reset = |message: &str, now: &str| with_reset(limit(message), &now.parse().unwrap());
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
        assert_eq!(since(total, None), Some(total), "a new thread");
        assert_eq!(since(total, Some(Some(usage(211, 20, 40)))), Some(usage(109, 10, 20)));
        assert_eq!(since(total, Some(None)), None, "unknown before");
        assert_eq!(since(total, Some(Some(usage(900, 0, 0)))), Some(total), "the count began anew");
    }
}
