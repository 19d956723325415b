//! "resets 3pm (Europe/Berlin)", "try again at Nov 24th, 2026 3:04 PM": how long until a time by the clock on the wall.
//! Pure: the time and the zone come from outside. What is not told for sure (a zone that is not ours) is not guessed.

use std::time::Duration;

/// The zone of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of UTC, now.
    pub offset: i64,
    /// `Europe/Berlin`; empty when it is not known.
    pub name: String,
}

/// What stands before the time.
const INTROS: &[&str] = &["again at ", "resets at ", "reset at ", "resets on ", "reset on ", "resets "];
const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAY: i64 = 86_400;
/// A time that has just passed is that one, and not tomorrow's.
const PASSED: i64 = 600;
/// Such a limit is tried again after this.
const SOON: i64 = 60;

/// How long until the time in a message.
pub fn until(message: &str, now_ms: i64, zone: &dyn Fn() -> Option<Zone>) -> Option<Duration> {
    let lower = message.to_lowercase();
    let after = INTROS.iter().find_map(|intro| lower.split_once(intro))?.1;
    let said = read(after)?;
    let offset = match said.zone {
        "utc" | "gmt" | "z" => 0,
        other => {
            let ours = zone()?;
            (other.is_empty() || ours.name.eq_ignore_ascii_case(other)).then_some(ours.offset)?
        }
    };
    let now = now_ms.div_euclid(1000) + offset;
    let today = now.div_euclid(DAY);
    let to_come = |day: i64| Some(day * DAY + said.second).filter(|at| *at >= now - PASSED);
    let at = match (said.month, said.day, said.year) {
        (0, 0, 0) => to_come(today).or(to_come(today + 1)),
        (0, ..) | (_, 0, _) => None,
        (month, day, 0) => {
            let year = 1970 + today * 400 / 146_097;
            [year, year + 1].into_iter().find_map(|year| to_come(days(year, month, day)))
        }
        (month, day, year) => to_come(days(year, month, day)),
    };
    Some(Duration::from_secs(u64::try_from((at? - now).max(SOON)).ok()?))
}

/// A time as it is written; 0 for what is not.
#[derive(Default)]
struct Said<'a> {
    year: i64,
    month: i64,
    day: i64,
    second: i64,
    zone: &'a str,
}

fn read(text: &str) -> Option<Said<'_>> {
    let mut said = Said::default();
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    loop {
        let word = words.next()?;
        if let Some(month) = MONTHS.iter().position(|month| word.starts_with(month)) {
            said.month = i64::try_from(month).ok()? + 1;
            continue;
        }
        if matches!(word, "at" | "on") {
            continue;
        }
        let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = (word[..digits].parse::<i64>().ok()?, &word[digits..]);
        match (digits, rest) {
            (4, "") => said.year = number,
            (1 | 2, "st" | "nd" | "rd" | "th") => said.day = number,
            (1 | 2, "") if words.peek().is_none_or(|next| half(next).is_none()) => said.day = number,
            (1 | 2, rest) => {
                let (minute, rest) = match rest.strip_prefix(':') {
                    Some(after) => (after.get(..2)?.parse::<i64>().ok()?, &after[2..]),
                    None => (0, rest),
                };
                let half = half(rest).or_else(|| half(words.next_if(|next| half(next).is_some())?));
                // "3" alone is no time
                if (half.is_none() && !word.contains(':')) || minute > 59 {
                    return None;
                }
                let hour = match half {
                    Some(later) => number % 12 + later,
                    None => number,
                };
                said.second = (hour < 24).then_some(hour * 3600 + minute * 60)?;
                let zone = words.next().unwrap_or_default();
                let bracketed = zone.strip_prefix('(').and_then(|zone| zone.split(')').next());
                said.zone = bracketed.unwrap_or(match zone.trim_end_matches('.') {
                    utc @ ("utc" | "gmt") => utc,
                    _ => "",
                });
                return Some(said);
            }
            _ => return None,
        }
    }
}

/// Hours to add for `am` and `pm`.
fn half(word: &str) -> Option<i64> {
    match word.trim_end_matches(['.', ')', ';', '!']) {
        "am" | "a.m" => Some(0),
        "pm" | "p.m" => Some(12),
        _ => None,
    }
}

/// Days since the epoch of a date in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // years begin in March, so that the day of a leap year is the last one
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_the_clock() {
        // 2026-11-23 17:30:00 in UTC, 18:30 in Berlin
        const NOW: i64 = 1_795_455_000_000;
        let berlin = || Some(Zone { offset: 3600, name: "Europe/Berlin".to_owned() });
        let minutes = |text: &str| until(text, NOW, &berlin).map(|left| left.as_secs() / 60);
        for (text, want) in [
            ("Claude usage limit reached. Your limit will reset at 9pm (Europe/Berlin).", Some(150)),
            ("You've hit your session limit · resets 9:15pm (Europe/Berlin)", Some(165)),
            ("You've hit your limit · resets 3am (europe/berlin)", Some(510)),
            ("resets 7pm (UTC)", Some(90)),
            ("resets 19:00 UTC.", Some(90)),
            ("You've hit your usage limit. Try again at 8:04 PM.", Some(94)),
            ("try again at 08:04", Some(814)),
            ("try again at Nov 24th, 2026 3:04 PM.", Some(1234)),
            ("resets Nov 25, 3pm (Europe/Berlin)", Some(2670)),
            ("resets Nov 25 at 3pm", Some(2670)),
            ("resets Jan 1, 12am (Europe/Berlin)", Some(38 * 1440 + 330)),
            ("resets 6:25pm", Some(1)),
            ("resets 6:15pm", Some(1425)),
            ("resets 12pm", Some(1050)),
            ("resets Nov 22, 2026 3pm", None),
            ("resets 3pm (America/New_York)", None),
            ("resets 3", None),
            ("resets 25:00", None),
            ("resets soon", None),
            ("try again at", None),
            ("resets 3:é", None),
            ("resets nov 3pm", None),
            ("it resets", None),
        ] {
            assert_eq!(minutes(text), want, "{text}");
        }
        assert_eq!(until("resets 3pm", NOW, &|| None), None, "nobody knows the zone");
        assert_eq!((days(1970, 1, 1), days(2000, 2, 29), days(2026, 11, 23)), (0, 11_016, 20_780));
    }
}
