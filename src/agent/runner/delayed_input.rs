//! A request that the agent may get in a later clock minute only, and the wait for it. What must wait is said by the
//! dialect; when the session was last opened is known by whoever starts the turn.

use crate::agent::AgentEvent;
use crate::agent::runner::RunnerEvent;
use crate::agent::runner::turn::Turn;
use crate::sys::time;
use std::time::{Duration, Instant};

/// What one file of such an agent is named by.
const MINUTE_MS: i64 = 60_000;

/// A text for stdin, and when to look whether it may go.
pub(crate) struct Held {
    until: Instant,
    text: String,
}

impl Turn<'_> {
    /// Writes the text to the agent, now or in the next minute.
    pub(crate) fn hold(&mut self, text: String, on: &mut dyn FnMut(RunnerEvent)) {
        let now = Instant::now();
        self.held = Some(Held { until: now, text });
        if self.release(now).is_some() {
            self.tell(RunnerEvent::Agent(AgentEvent::Waiting), on);
        }
    }

    /// Writes what was held as soon as it may go. Returns when to look again; the clock may have been set meanwhile.
    pub(crate) fn release(&mut self, now: Instant) -> Option<Instant> {
        let held = self.held.as_mut()?;
        if now >= held.until {
            match left(time::now_ms(), self.opened_at) {
                Some(left) => held.until = now + left,
                None => {
                    let text = std::mem::take(&mut held.text);
                    (self.held, self.alive) = (None, Some(now));
                    self.process.feed(vec![text]);
                    return None;
                }
            }
        }
        self.held.as_ref().map(|held| held.until)
    }
}

/// How long the minute still lasts, if it is the one in which the session was opened.
fn left(now_ms: i64, opened_at: Option<i64>) -> Option<Duration> {
    let same = opened_at?.div_euclid(MINUTE_MS) == now_ms.div_euclid(MINUTE_MS);
    same.then(|| Duration::from_millis((MINUTE_MS - now_ms.rem_euclid(MINUTE_MS)).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rest_of_the_same_minute() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(left(120_000, Some(120_000)), ms(60_000));
        assert_eq!(left(179_999, Some(120_000)), ms(1));
        assert_eq!(left(180_000, Some(179_999)), None, "the next minute");
        assert_eq!(left(120_000, Some(119_999)), None);
        assert_eq!(left(119_999, Some(120_000)), None, "the clock was set back");
        assert_eq!(left(120_000, None), None, "never opened");
    }
}
