//! What a turn's report is made of: the native session id, the tokens, and what a thread's total means for one turn.

use crate::agent::dialect::Effects;
use crate::agent::outcome::{Next, Outcome, Reason, Report};
use crate::agent::{AgentEvent, Request, Usage, classify, limit_reset};
use crate::sys::time;
use std::time::Duration;

/// What is known of the turn for its report.
pub(crate) struct Book<'r> {
    request: &'r Request,
    session: Option<String>,
    usage: Option<Usage>,
    total: Option<Usage>,
    before: Option<Usage>,
}

impl<'r> Book<'r> {
    pub(crate) fn new(request: &'r Request, before: Option<Usage>) -> Self {
        Self { request, session: None, usage: None, total: None, before }
    }

    /// The native session id that we chose ourselves.
    pub(crate) fn chosen(&mut self, id: &str) {
        self.session = Some(id.to_owned());
    }

    pub(crate) fn note(&mut self, fx: &mut Effects) {
        self.usage = fx.usage.take().or(self.usage);
        self.total = fx.usage_total.take().or(self.total);
        for event in &fx.events {
            if let AgentEvent::Session(id) = event {
                self.session = Some(id.clone());
            }
        }
    }

    pub(crate) fn report(&mut self, outcome: Outcome) -> Report {
        let outcome = with_reset(outcome, time::now_ms());
        let keep = match &outcome {
            Outcome::Failed { reason, .. } => reason.next() == Next::Resume,
            Outcome::Done(_) | Outcome::Cancelled { .. } => true,
        };
        let session = self.session.take().or_else(|| self.request.resume.clone()).filter(|_| keep);
        let usage =
            self.usage.or_else(|| since(self.total?, self.request.resume.as_ref().map(|_| self.before)));
        // Totals of earlier turns stay what must be subtracted when this one counted nothing.
        let usage_total = self.total.or(self.before).filter(|_| session.is_some());
        Report { outcome, session, usage, usage_total }
    }
}

fn zone() -> Option<limit_reset::Zone> {
    let (offset, name) = time::zone()?;
    Some(limit_reset::Zone { offset, name })
}

/// Turns a reset time by the clock, which only we can read, into the time until then.
fn with_reset(outcome: Outcome, now_ms: i64) -> Outcome {
    match outcome {
        Outcome::Failed { reason: Reason::UsageLimit(None), detail, partial } => {
            let left_ms = classify::reset_second(&detail).map(|second| second.saturating_mul(1000) - now_ms);
            let left = match left_ms {
                Some(ms) => u64::try_from(ms).ok().map(Duration::from_millis),
                None => limit_reset::until(&detail, now_ms, &zone),
            };
            let words = detail.split('|').next().unwrap_or_default().to_owned();
            let detail = if left.is_some() { words } else { detail };
            Outcome::Failed { reason: Reason::UsageLimit(left), detail, partial }
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

    #[test]
    fn a_limit_that_resets_by_the_clock() {
        let limit = |detail: &str| Outcome::Failed {
            reason: Reason::UsageLimit(None),
            detail: detail.to_owned(),
            partial: String::new(),
        };
        let Outcome::Failed { reason, detail, .. } =
            with_reset(limit("reached|1760000000"), 1_759_999_940_000)
        else {
            panic!("still a failure");
        };
        assert_eq!((reason, detail.as_str()), (Reason::UsageLimit(Some(Duration::from_secs(60))), "reached"));
        assert_eq!(
            with_reset(limit("reached|1760000000"), 1_770_000_000_000),
            limit("reached|1760000000"),
            "in the past"
        );
        assert_eq!(with_reset(limit("reached"), 0), limit("reached"));
        let Outcome::Failed { reason, .. } = with_reset(limit("resets 3pm (UTC)"), 14 * 3_600_000) else {
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
