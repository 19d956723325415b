//! Timestamps of the service: ISO 8601 text with or without a zone or a fraction, or a number since the epoch
//! (see MESSAGES in wtt-connect-protocol(7)).
//!
//! The unit here is milliseconds since the epoch. Text without a zone is UTC, as the Python client of the service reads
//! it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Larger numbers are milliseconds: as seconds this would be the year 5138.
const SECONDS_END: f64 = 1e11;
/// Larger numbers are microseconds.
const MILLIS_END: f64 = 1e14;

/// Reads a JSON value as milliseconds since the epoch; `None` if it is not a time.
pub fn millis(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => from_epoch(n.as_f64()?),
        Value::String(s) => {
            let s = s.trim();
            s.parse().map_or_else(|_| from_iso(s), from_epoch)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn from_epoch(n: f64) -> Option<i64> {
    if !n.is_finite() || n <= 0.0 {
        return None;
    }
    let ms = if n >= MILLIS_END {
        n / 1000.0
    } else if n >= SECONDS_END {
        n
    } else {
        n * 1000.0
    };
    // `as` saturates, and jiff refuses what lies beyond the year 9999.
    Timestamp::from_millisecond(ms.round() as i64).ok().map(Timestamp::as_millisecond)
}

fn from_iso(s: &str) -> Option<i64> {
    // PostgreSQL and Ruby write a blank before the offset, which RFC 3339 does not have.
    let s = s.replace(" +", "+").replace(" -", "-");
    let utc = |time: DateTime| time.to_zoned_datetime(TimeZone::UTC).map(|time| time.timestamp());
    let time = s.parse().or_else(|_| s.parse().and_then(utc)).ok()?;
    Some(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spellings_of_one_time_are_equal() {
        let want = 1_775_030_401_250;
        for value in [
            json!("2026-04-01T08:00:01.25Z"),
            json!("2026-04-01T08:00:01.250"),
            json!("2026-04-01 08:00:01.250123+00:00"),
            json!("2026-04-01T16:00:01.25+08:00"),
            json!("2026-04-01 16:00:01.25 +08:00"),
            json!("2026-04-01t08:00:01.25z"),
            json!("2026-04-01 03:30:01.25 -0430"),
            json!("2026-04-01T16:00:01,25+0800"),
            json!("2026-04-01T03:30:01.25-04:30"),
            json!(1_775_030_401.25),
            json!(1_775_030_401_250_i64),
            json!(1_775_030_401_250_000_i64),
            json!("1775030401.25"),
        ] {
            assert_eq!(millis(&value), Some(want), "{value}");
        }
        assert_eq!(millis(&json!("2026-04-01T08:00")), Some(want - 1250));
        assert_eq!(millis(&json!("2024-02-29")), Some(1_709_164_800_000));
        assert_eq!(millis(&json!("1970-01-01T00:00:00Z")), Some(0));
    }

    #[test]
    fn other_values_are_refused() {
        for value in [
            json!(null),
            json!(""),
            json!("soon"),
            json!("2026-13-01"),
            json!("2026-04-01T8"),
            json!("2026-04-01T25:61"),
            json!("2026-04-01T08:00:01.2x"),
            json!("2026-04-01T08:00:01+8"),
            json!("2026/04/01"),
            json!("二〇二六年四月"),
            json!("NaN"),
            json!("inf"),
            json!(-5),
            json!(1e300),
        ] {
            assert_eq!(millis(&value), None, "{value}");
        }
    }
}
