//! Timestamps of the service: ISO text with or without zone, seconds or fraction, or an epoch number (see
//! MESSAGES in wtt-connect-protocol(7)).
//!
//! All in milliseconds since the epoch. Text without a zone is UTC (confirmed in the old Python client).

use serde_json::Value;

/// Epoch numbers above this are milliseconds: as seconds it would be the year 5138.
const SECONDS_END: f64 = 1e11;
/// Epoch numbers above this are microseconds.
const MILLIS_END: f64 = 1e14;

/// Milliseconds since the epoch, if the value says a time.
pub fn millis(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => epoch(n.as_f64()?),
        Value::String(s) => {
            let s = s.trim();
            iso(s).or_else(|| epoch(crate::json::parse(s.as_bytes()).ok()?.as_f64()?))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn epoch(n: f64) -> Option<i64> {
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
    // `as` saturates; later than the year 9999 is no time of a message.
    let ms = ms.round() as i64;
    (ms < 253_402_300_800_000).then_some(ms)
}

/// Reads `2026-04-01T08:00:01.25+08:00` and its shorter forms.
fn iso(s: &str) -> Option<i64> {
    let (date, rest) = s.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days_ms = days(year, month, day) * 86_400_000;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return rest.is_empty().then_some(days_ms);
    };
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    Some(days_ms + clock_ms(clock.trim_end())? - zone_ms(zone)?)
}

fn clock_ms(clock: &str) -> Option<i64> {
    let (whole, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |p| number(p, 2))?;
    if parts.next().is_some() || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut ms = 0;
    for i in 0..3 {
        ms = ms * 10 + fraction.as_bytes().get(i).map_or(0, |b| i64::from(b - b'0'));
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

fn zone_ms(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') => return Some(0),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => (1, &zone[1..]),
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits, 2)?, 0),
        4 => (number(digits.get(..2)?, 2)?, number(digits.get(2..)?, 2)?),
        _ => return None,
    };
    Some(sign * (hours * 60 + minutes) * 60_000)
}

fn number(s: &str, digits: usize) -> Option<i64> {
    (s.len() == digits && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok())?
}

/// Days since the epoch in the proleptic Gregorian calendar (the well-known civil-calendar formula).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_spelling_of_a_time_is_the_same_moment() {
        let want = 1_775_030_401_250;
        for value in [
            json!("2026-04-01T08:00:01.25Z"),
            json!("2026-04-01T08:00:01.250"),
            json!("2026-04-01 08:00:01.250123+00:00"),
            json!("2026-04-01T16:00:01.25+08:00"),
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
    fn what_is_no_time_is_none() {
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
