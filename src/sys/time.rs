//! The wall clock. Deadlines use `Instant`; the wall clock is only for what people and the service read.

use super::{path, proc};
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    fn the_zone_is_told_where_there_is_a_date() {
        if path::find_program(OsStr::new("date")).is_none() {
            return;
        }
        let (offset, name) = zone().expect("an offset");
        assert!((-14 * 3600..=14 * 3600).contains(&offset) && offset % 60 == 0, "{offset}");
        assert!(!name.contains("zoneinfo"), "{name}");
    }
}
