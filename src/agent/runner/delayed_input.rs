//! Input that the agent may get only in a later clock minute than the one in which its session was last opened. The
//! dialect says which input that is; the caller of the runner knows when the session was opened.

use std::time::{Duration, Instant};

/// Such an agent names a session's file by the minute (see `once_a_minute` in `adapters/acp/quirks.rs`).
const MINUTE_MS: i64 = 60_000;

/// Text for stdin that must wait.
pub(crate) struct DelayedInput {
    text: String,
    /// When to look at the clock again.
    check_at: Instant,
}

impl DelayedInput {
    /// Text that may be due at once.
    pub(crate) fn new(text: String, now: Instant) -> Self {
        Self { text, check_at: now }
    }

    /// When [`DelayedInput::take_if_due`] should be called again.
    pub(crate) fn deadline(&self) -> Instant {
        self.check_at
    }

    /// The text, once it may be written. `now_ms` is the wall clock, which may have been set meanwhile; `opened_at` is
    /// when the session was last opened. Both in milliseconds since the epoch.
    pub(crate) fn take_if_due(
        &mut self,
        now: Instant,
        now_ms: i64,
        opened_at: Option<i64>,
    ) -> Option<String> {
        if now < self.check_at {
            return None;
        }
        match rest_of_minute(now_ms, opened_at) {
            Some(rest) => {
                self.check_at = now + rest;
                None
            }
            None => Some(std::mem::take(&mut self.text)),
        }
    }
}

/// How much of the minute remains, if it is the one in which the session was opened.
fn rest_of_minute(now_ms: i64, opened_at: Option<i64>) -> Option<Duration> {
    let is_same = opened_at?.div_euclid(MINUTE_MS) == now_ms.div_euclid(MINUTE_MS);
    is_same.then(|| Duration::from_millis((MINUTE_MS - now_ms.rem_euclid(MINUTE_MS)).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rest_of_the_same_minute() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(rest_of_minute(120_000, Some(120_000)), ms(60_000));
        assert_eq!(rest_of_minute(179_999, Some(120_000)), ms(1));
        assert_eq!(rest_of_minute(180_000, Some(179_999)), None, "the next minute");
        assert_eq!(rest_of_minute(120_000, Some(119_999)), None);
        assert_eq!(rest_of_minute(119_999, Some(120_000)), None, "the clock was set back");
        assert_eq!(rest_of_minute(120_000, None), None, "never opened");
    }

    #[test]
    fn the_text_is_due_in_the_next_minute() {
        let now = Instant::now();
        let mut input = DelayedInput::new("x".to_owned(), now);
        assert_eq!(input.take_if_due(now, 119_000, Some(60_000)), None);
        assert_eq!(input.deadline(), now + Duration::from_secs(1));
        assert_eq!(input.take_if_due(now, 120_000, Some(60_000)), None, "not looked at before its time");
        assert_eq!(input.take_if_due(input.deadline(), 120_000, Some(60_000)), Some("x".to_owned()));
    }
}
