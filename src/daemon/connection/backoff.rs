//! How long to wait before the next attempt. Pure but for the random number.

use jiff::Timestamp;
use std::time::Duration;

/// No wait is shorter, unless the bound itself is small.
const FLOOR: Duration = Duration::from_millis(250);
/// A server that says `Retry-After` is believed up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// Doubling further would overflow long after the cap has been reached.
const MAX_DOUBLINGS: u32 = 16;

/// Full jitter: uniform between nothing and a bound that doubles up to a cap. Nobody hammers a server that comes
/// back, and many agents do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    first: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { failures: 0, first, max }
    }

    /// After a connection that lasted: the next trouble is a new one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure; `asked` is what the server asks for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let bound = (self.first * (1 << self.failures.min(MAX_DOUBLINGS))).min(self.max);
        self.failures = self.failures.saturating_add(1);
        let jitter = bound.mul_f64(fastrand::f64()).max((bound / 4).min(FLOOR));
        jitter.max(asked.unwrap_or_default().min(RETRY_AFTER_MAX))
    }
}

/// Reads the value of a `Retry-After` header: seconds, or an HTTP date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(now.duration_until(at).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(60))
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap_and_starts_again_after_a_reset() {
        let mut backoff = users();
        for round in 0..2 {
            for n in 0..40u32 {
                let bound = Duration::from_secs(60.min(1 << n.min(6)));
                let waited = backoff.next(None);
                assert!(waited >= Duration::from_millis(250), "round {round}, failure {n}: {waited:?}");
                assert!(waited <= bound, "round {round}, failure {n}: {waited:?} > {bound:?}");
            }
            backoff.reset();
        }
    }

    #[test]
    fn jitter_is_spread_over_the_whole_range() {
        let mut backoff = users();
        for _ in 0..10 {
            backoff.next(None);
        }
        let waits: Vec<_> = (0..400).map(|_| backoff.next(None).as_secs()).collect();
        assert!(waits.iter().any(|s| *s < 15) && waits.iter().any(|s| *s > 45));
    }

    #[test]
    fn the_server_can_ask_for_more_but_not_for_hours() {
        let mut backoff = users();
        assert_eq!(backoff.next(Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert_eq!(backoff.next(Some(Duration::from_secs(86_400))), Duration::from_secs(600));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        #[rustfmt::skip]
        let rows = [
            ("120", Some(120)), (" 0 ", Some(0)), ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)), ("soon", None), ("", None), ("-1", None),
            ("Sun, 06 Nuv 1994 08:49:37 GMT", None),
        ];
        for (text, expect) in rows {
            assert_eq!(retry_after(text, now), expect.map(Duration::from_secs), "{text}");
        }
    }
}
