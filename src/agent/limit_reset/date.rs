//! Points in time as people write them: "3pm (Asia/Shanghai)", "Nov 24th, 2026 3:04 PM", "Oct 14", "tomorrow at noon",
//! `2026-10-07T03:00:00Z`, seconds or milliseconds since the epoch.

use super::words::Word;
use super::zone::{self, ZoneLookup};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

/// A point in time.
#[derive(Debug)]
pub(super) enum Moment {
    /// With offset, or since the epoch.
    Exact(Timestamp),
    /// By a calendar or a clock.
    Written(WrittenTime),
}

/// The parts of a time that the message names; never empty.
#[derive(Debug, Default)]
pub(super) struct WrittenTime {
    pub(super) year: Option<i16>,
    pub(super) month: Option<i8>,
    pub(super) day: Option<i8>,
    pub(super) weekday: Option<Weekday>,
    pub(super) is_tomorrow: bool,
    /// Midnight, if there is only a date.
    pub(super) time: Option<Time>,
    /// The zone of the host, if it is not named.
    pub(super) zone: Option<TimeZone>,
}

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: &[(&str, Weekday)] = &[
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Reads the point in time that the words begin with.
pub(super) fn read(words: &[Word], zones: ZoneLookup) -> Option<Moment> {
    let first = words.first()?.text;
    let joined = words.get(1).map(|second| [first, "t", second.text].concat());
    if let Some(instant) = instant(first).or_else(|| instant(&joined?)) {
        return Some(Moment::Exact(instant));
    }
    let mut written = WrittenTime::default();
    let mut rest = written.read_date(words);
    if let Some((time, behind)) = time(rest) {
        (written.time, rest) = (Some(time), behind);
    }
    if rest.len() == words.len() {
        return None;
    }
    (written.zone, rest) = read_zone(rest, zones)?;
    // "3am (America/New_York) on Oct 8"
    if rest.first().is_some_and(|word| matches!(word.text, "on" | "tomorrow")) {
        written.read_date(rest);
    }
    written.is_complete().then_some(Moment::Written(written))
}

/// `2026-10-07T03:00:00Z`, also with a blank instead of the `T`, or a number since the epoch: ten digits are seconds, thirteen milliseconds.
fn instant(text: &str) -> Option<Timestamp> {
    match (text.parse::<i64>(), text.len()) {
        (Ok(seconds), 10) => Timestamp::from_second(seconds).ok(),
        (Ok(millis), 13) => Timestamp::from_millisecond(millis).ok(),
        (Ok(_), _) => None,
        (Err(_), _) => text.parse().ok(),
    }
}

impl WrittenTime {
    /// Takes over the parts of a date; what stands behind them.
    fn read_date<'w, 't>(&mut self, mut words: &'w [Word<'t>]) -> &'w [Word<'t>] {
        while let Some((word, behind)) = words.split_first() {
            if !self.read_date_word(word.text, behind) {
                break;
            }
            words = behind;
        }
        words
    }

    /// Whether the word is part of a date. A bare number is the day only if it is not the hour of "3 pm".
    fn read_date_word(&mut self, text: &str, behind: &[Word]) -> bool {
        if let Some(month) = prefixed(MONTHS.iter().zip(1..), text) {
            self.month = Some(month);
        } else if let Some(weekday) = prefixed(WEEKDAYS.iter().map(|(name, day)| (name, *day)), text) {
            self.weekday = Some(weekday);
        } else if let Some(date) = full_date(text) {
            (self.year, self.month, self.day) = (Some(date.year()), Some(date.month()), Some(date.day()));
        } else if let Ok(time) = text.parse::<DateTime>() {
            (self.year, self.month, self.day) = (Some(time.year()), Some(time.month()), Some(time.day()));
            self.time = Some(time.time());
        } else if text == "tomorrow" {
            self.is_tomorrow = true;
        } else if let Some(number) = day_or_year(text) {
            let is_hour = behind.first().is_some_and(|next| half_of_day(next.text).is_some());
            match i8::try_from(number) {
                _ if is_hour => return false,
                Ok(day) => self.day = Some(day),
                Err(_) => self.year = Some(number),
            }
        } else {
            return matches!(text, "at" | "on" | "of" | "the" | "today");
        }
        true
    }

    /// A day without its month means nothing, nor does the month alone.
    fn is_complete(&self) -> bool {
        let has_date = self.month.is_some() && self.day.is_some();
        let has_part_of_date = self.year.is_some() || self.month.is_some() || self.day.is_some();
        has_date || (!has_part_of_date && (self.time.is_some() || self.weekday.is_some() || self.is_tomorrow))
    }
}

/// What belongs to the name that begins with the word, which has three letters or more.
fn prefixed<'n, T>(names: impl Iterator<Item = (&'n &'n str, T)>, word: &str) -> Option<T> {
    names.into_iter().find(|(name, _)| word.len() >= 3 && name.starts_with(word)).map(|(_, value)| value)
}

/// `2026-10-07`, `2026/10/07`, `10/7/2026` (month first, unless that is no month).
fn full_date(text: &str) -> Option<Date> {
    if text.len() == 10 && text.contains('-') {
        return text.parse().ok();
    }
    let numbers: Vec<i16> = text.split('/').map(str::parse).collect::<Result<_, _>>().ok()?;
    let (year, month, day) = match numbers[..] {
        [year, month, day] if year > 999 => (year, month, day),
        [day, month, year] if day > 12 => (year, month, day),
        [month, day, year] => (year, month, day),
        _ => return None,
    };
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// `7`, `24th`, `2026`.
fn day_or_year(text: &str) -> Option<i16> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    (is_number && (matches!(digits.len(), 1 | 2) || (text.len() == 4 && digits == text)))
        .then(|| digits.parse().ok())?
}

/// Reads a time of day: `3pm`, `3:04 PM`, `15:04`, `noon`. A number alone is none.
fn time<'w, 't>(words: &'w [Word<'t>]) -> Option<(Time, &'w [Word<'t>])> {
    let (word, mut rest) = words.split_first()?;
    match word.text {
        "noon" => return Some((Time::constant(12, 0, 0, 0), rest)),
        "midnight" => return Some((Time::midnight(), rest)),
        _ => {}
    }
    let end = word.text.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(word.text.len());
    let (digits, suffix) = word.text.split_at(end);
    let mut half = half_of_day(suffix);
    if half.is_none() && suffix.is_empty() {
        half = rest.first().and_then(|next| half_of_day(next.text));
        rest = if half.is_some() { &rest[1..] } else { rest };
    }
    if half.is_none() && !(suffix.is_empty() && digits.contains(':')) {
        return None;
    }
    let mut numbers = digits.split(':').map(str::parse::<i8>);
    let (hour, minute, second) =
        (numbers.next()?.ok()?, numbers.next().unwrap_or(Ok(0)).ok()?, numbers.next().unwrap_or(Ok(0)).ok()?);
    let hour = match half {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(first) => hour % 12 + first,
        None => hour,
    };
    Some((Time::new(hour, minute, second, 0).ok()?, rest))
}

/// The first hour of the half of the day that `am` or `pm` names.
fn half_of_day(text: &str) -> Option<i8> {
    match text {
        "am" | "a.m" => Some(0),
        "pm" | "p.m" => Some(12),
        _ => None,
    }
}

/// Reads the zone that the words may begin with. Gives up on a word in brackets that looks like a zone and is not known.
fn read_zone<'w, 't>(words: &'w [Word<'t>], zones: ZoneLookup) -> Option<(Option<TimeZone>, &'w [Word<'t>])> {
    let Some((word, rest)) = words.split_first() else { return Some((None, words)) };
    let offset = rest.first().filter(|next| next.text.starts_with(['+', '-']));
    let split =
        offset.filter(|_| matches!(word.text, "utc" | "gmt")).map(|next| [word.text, next.text].concat());
    if let Some(zone) = split.and_then(|name| zone::find(&name, zones)) {
        return Some((Some(zone), &rest[1..]));
    }
    if let Some(zone) = zone::find(word.text, zones) {
        let is_time = |word: &&Word| matches!(word.text, "time" | "standard" | "daylight");
        return Some((Some(zone), &rest[rest.iter().take_while(is_time).count()..]));
    }
    // "(local time)", "(in 2 hours)"
    let is_remark = matches!(word.text, "local" | "your" | "in" | "about");
    (is_remark || !word.is_bracketed).then_some((None, words))
}
