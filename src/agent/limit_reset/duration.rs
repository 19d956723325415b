//! Durations: "2 days 3 hours and 5 minutes", "3h12m5s", "36.5s", "an hour".

use super::words::Word;
use std::time::Duration;

/// Reads the duration that the words begin with. A number without a unit counts only if it `is_in_seconds`.
pub(super) fn read(words: &[Word], is_in_seconds: bool) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = words.iter().map(|word| word.text).filter(|text| *text != "and");
    while let Some(word) = rest.next() {
        let part = match amount(word) {
            Some(amount) => rest.next().and_then(unit).map(|unit| amount * unit),
            None => compound(word),
        };
        let Some(seconds) = part else { break };
        total += seconds;
    }
    if total == 0.0 && is_in_seconds {
        total = amount(words.first()?.text)?;
    }
    Duration::try_from_secs_f64(total).ok().filter(|duration| !duration.is_zero())
}

/// A number, or the article of "an hour".
fn amount(word: &str) -> Option<f64> {
    match word {
        "a" | "an" => Some(1.0),
        _ => word.parse().ok().filter(|_| word.starts_with(|c: char| c.is_ascii_digit())),
    }
}

/// Seconds of `45m`, `3h12m5s`, `1m12.5s`.
fn compound(word: &str) -> Option<f64> {
    let (mut seconds, mut rest) = (0.0, word);
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let (name, behind) =
            behind.split_at(behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len()));
        seconds += amount(number)? * unit(name)?;
        rest = behind;
    }
    Some(seconds)
}

/// Seconds of a unit.
fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "w" | "week" | "weeks" => 604_800.0,
        "d" | "day" | "days" => 86_400.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "millis" | "milliseconds" => 0.001,
        _ => return None,
    })
}
