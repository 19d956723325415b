//! The wall clock, time zones, and common ticks for periodic work. Deadlines use `Instant`; the wall clock is only for times that
//! people and the service read.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// All threads do their periodic work at common times, this far apart, so that an idle machine wakes up once for all of it. It is
/// the interval of the pings.
pub const TICK_INTERVAL: Duration = Duration::from_secs(30);

/// The next time for work with the given interval: the last tick within it. Work with a shorter interval than that of the ticks is
/// not bound to them.
pub fn next_tick(now: Instant, interval: Duration) -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    align(*FIRST.get_or_init(|| now), now, interval)
}

fn align(first: Instant, now: Instant, interval: Duration) -> Instant {
    let due = now + interval;
    if interval < TICK_INTERVAL {
        return due;
    }
    let beyond = due.saturating_duration_since(first).as_nanos() % TICK_INTERVAL.as_nanos();
    due - Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A time zone by its IANA name, in any letter case, from the database of the system. A bundled copy would be 250 KB and grow old.
pub fn zone(name: &str) -> Option<TimeZone> {
    jiff::tz::db().get(name).ok()
}

/// Formats milliseconds since the epoch as RFC 3339 in UTC with whole seconds: `2026-04-01T08:00:01Z`.
pub fn rfc3339(ms: i64) -> String {
    format!("{:.0}", timestamp(ms))
}

/// Formats milliseconds since the epoch as RFC 3339 in UTC with milliseconds: `2026-04-01T08:00:01.250Z`.
pub fn rfc3339_millis(ms: i64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// Times that jiff cannot express (beyond the year 9999) become the epoch.
fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_utc_and_cut_not_rounded() {
        assert_eq!(rfc3339(1_775_030_401_999), "2026-04-01T08:00:01Z");
        assert_eq!(rfc3339_millis(1_775_030_401_050), "2026-04-01T08:00:01.050Z");
        assert_eq!(
            (rfc3339(0), rfc3339(i64::MAX)),
            ("1970-01-01T00:00:00Z".into(), "1970-01-01T00:00:00Z".into())
        );
    }

    #[test]
    fn periodic_work_is_due_at_a_tick() {
        let first = Instant::now();
        let at = |ms| first + Duration::from_millis(ms);
        let next = |now, every| (align(first, at(now), Duration::from_secs(every)) - first).as_millis();
        assert_eq!((next(0, 30), next(0, 60), next(0, 75)), (30_000, 60_000, 60_000));
        assert_eq!((next(7_200, 30), next(7_200, 60)), (30_000, 60_000), "sooner, never later");
        assert_eq!((next(30_004, 30), next(60_001, 60)), (60_000, 120_000), "a late call does not add up");
        assert_eq!((next(29_999, 30), next(7_200, 5)), (30_000, 12_200));
    }

    #[test]
    fn zones_are_found_by_name() {
        let offset = |name| Some(zone(name)?.to_offset(Timestamp::UNIX_EPOCH).seconds());
        assert_eq!((offset("asia/shanghai"), offset("Asia/Kolkata")), (Some(28_800), Some(19_800)));
        assert_eq!((offset("Mars/Olympus"), offset("../passwd")), (None, None));
    }
}
