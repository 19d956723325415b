//! The wall clock. Deadlines use `Instant`; the wall clock is only for what people and the service read.

use super::{path, proc};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What has to be done again and again is done at these times, by all threads at once: an idle machine is woken for all
/// of it together. The pings set the pace.
pub const TICK: Duration = Duration::from_secs(30);

/// When it is time again for something that is due `every` so often: at the last tick by then. What is due more often than
/// the ticks come is not bound to them.
pub fn again(now: Instant, every: Duration) -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    tick(*FIRST.get_or_init(|| now), now, every)
}

fn tick(first: Instant, now: Instant, every: Duration) -> Instant {
    let due = now + every;
    if every < TICK {
        return due;
    }
    let beyond = due.saturating_duration_since(first).as_nanos() % TICK.as_nanos();
    due - Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Seconds east of UTC, and the name of the zone where it is known. None of our crates can tell, and every system has a
/// `date` that can.
pub fn zone() -> Option<(i64, String)> {
    let date =
        proc::command(&path::find_program(OsStr::new("date"))?, Path::new("/")).arg("+%z").output().ok()?;
    let text = String::from_utf8(date.stdout).ok()?;
    let number: i64 = text.trim().parse().ok()?;
    let link = || std::fs::read_link("/etc/localtime").unwrap_or_default().to_string_lossy().into_owned();
    let name = std::env::var("TZ").unwrap_or_else(|_| link());
    let name = name.rsplit_once("zoneinfo/").map_or(name.trim_start_matches(':'), |(_, name)| name);
    Some(((number / 100 * 60 + number % 100) * 60, name.to_owned()))
}

/// RFC 3339 in UTC with seconds, e.g. `2026-04-01T08:00:01Z`.
pub fn rfc3339(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_every_minute_is_due_with_a_ping() {
        let first = Instant::now();
        let at = |ms| first + Duration::from_millis(ms);
        let next = |now, every| (tick(first, at(now), Duration::from_secs(every)) - first).as_millis();
        assert_eq!((next(0, 30), next(0, 60), next(0, 75)), (30_000, 60_000, 60_000));
        assert_eq!((next(7_200, 30), next(7_200, 60)), (30_000, 60_000), "sooner, never later");
        assert_eq!((next(30_004, 30), next(60_001, 60)), (60_000, 120_000), "a late call does not add up");
        assert_eq!((next(29_999, 30), next(7_200, 5)), (30_000, 12_200));
    }

    #[test]
    fn the_zone_is_told_where_there_is_a_date() {
        if path::find_program(OsStr::new("date")).is_none() {
            return;
        }
        let (offset, name) = zone().expect("an offset");
        assert!((-14 * 3600..=14 * 3600).contains(&offset) && offset % 60 == 0, "{offset}");
        assert!(!name.contains("zoneinfo"), "{name}");
    }
}
