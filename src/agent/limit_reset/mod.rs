//! How long until a usage limit resets, by the words of a CLI's error message: "resets 3pm (Asia/Shanghai)", "try again in 2h
//! 5m", "retry-after: 30". Pure: the present time, the host's zone and the zone database come from the caller.
//!
//! What the message leaves open is decided so that the turn does not run before the reset, where a second failure would wait for
//! it. Without a zone the time is that of the host. Of a local time that a change of the clocks repeats, the second one
//! counts; a skipped one is moved on by the length of the gap. A time without a date is the next such time. A zone that is
//! named but not known gives no time at all. `10/7/2026` is the 7th of October, as CLIs print it by default.

mod date;
mod duration;
mod words;
mod zone;

use date::{Moment, WrittenTime};
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Span, Timestamp, ZonedDateTime};
use std::time::Duration;
use words::{Word, words};
pub use zone::ZoneLookup;

/// Words before the time. The last three are fields of Google's error details.
const INTRODUCTIONS: &[&str] = &[
    "reset",
    "resets",
    "again",
    "retry",
    "wait",
    "renews",
    "refreshes",
    "retrydelay",
    "quotaresetdelay",
    "quotaresettimestamp",
];
/// Words that may stand between an introduction and the time.
const CONNECTORS: &[&str] =
    &["at", "on", "in", "after", "by", "until", "is", "time", "about", "around", "approximately", "seconds"];

/// A time of day that passed less than this ago is meant itself, and not tomorrow's: the message took a while to come.
const PASSED_MAX: SignedDuration = SignedDuration::from_secs(600);
/// The least wait for such a time: clocks differ by seconds, and the time is printed in minutes.
const WAIT_MIN: Duration = Duration::from_secs(60);

/// The time that is left until the reset, if the message says it as a duration: no clock is needed for that.
pub fn stated_duration(message: &str) -> Option<Duration> {
    find(message, |introduced| duration::read(introduced.words, introduced.is_in_seconds))
}

/// The time that is left until the reset, if the message tells it in any way. `now` carries the zone of the host.
pub fn time_left(message: &str, now: &ZonedDateTime, zones: ZoneLookup) -> Option<Duration> {
    if let Some(reset) = epoch_behind_bar(message) {
        return Duration::try_from(now.timestamp().duration_until(reset)).ok();
    }
    find(message, |introduced| {
        if let Some(duration) = duration::read(introduced.words, introduced.is_in_seconds) {
            return Some(duration);
        }
        let reset = match date::read(introduced.words, zones)? {
            // "in 3:30" is no time of day
            _ if introduced.is_duration => None,
            Moment::Exact(instant) => is_plausible(instant, now).then_some(instant),
            Moment::Written(written) => resolve(&written, now),
        };
        Some(Duration::try_from(now.timestamp().duration_until(reset?)).unwrap_or_default().max(WAIT_MIN))
    })
}

/// "Claude AI usage limit reached|1760000000": seconds since the epoch.
fn epoch_behind_bar(message: &str) -> Option<Timestamp> {
    let (_, second) = message.rsplit_once('|')?;
    let second = second.trim();
    (second.len() == 10).then(|| Timestamp::from_second(second.parse().ok()?).ok())?
}

/// The message without the number that is meant for programs.
pub fn without_epoch(message: &str) -> &str {
    match epoch_behind_bar(message) {
        Some(_) => message.rsplit_once('|').map_or(message, |(words, _)| words),
        None => message,
    }
}

/// Words that may tell a time, as the words before them say.
struct Introduced<'w> {
    words: &'w [Word<'w>],
    /// A number without a unit is a number of seconds.
    is_in_seconds: bool,
    /// Only a duration can follow.
    is_duration: bool,
}

/// The first result for any of the places where a time may stand.
fn find<T>(message: &str, read: impl Fn(Introduced) -> Option<T>) -> Option<T> {
    let lower = message.to_lowercase().replace("retry-after", "retry after");
    let words = words(&lower);
    (0..words.len()).find_map(|at| {
        let (introduction, behind) = words[at..].split_first()?;
        if introduction.ends_sentence || !INTRODUCTIONS.contains(&introduction.text) {
            return None;
        }
        let is_connector = |word: &&Word| CONNECTORS.contains(&word.text);
        let (connectors, words) = behind.split_at(behind.iter().take_while(is_connector).count());
        let has = |connector: &str| connectors.iter().any(|word| word.text == connector);
        // the unit of `Retry-After`, and of `resets_in_seconds`
        let is_in_seconds = (introduction.text == "retry" && has("after")) || has("seconds");
        read(Introduced { words, is_in_seconds, is_duration: has("in") })
    })
}

/// Whether the time is still to come, or has just passed.
fn is_plausible(reset: Timestamp, now: &ZonedDateTime) -> bool {
    now.timestamp().duration_since(reset) <= PASSED_MAX
}

/// The first instant that a written time can mean.
fn resolve(written: &WrittenTime, now: &ZonedDateTime) -> Option<Timestamp> {
    let zone = written.zone.clone().unwrap_or_else(|| now.time_zone().clone());
    let time = written.time.unwrap_or(Time::midnight());
    let reset_on = |date: Date| {
        let reset = zone.to_ambiguous_timestamp(date.to_datetime(time)).later().ok()?;
        is_plausible(reset, now).then_some(reset)
    };
    let today = now.timestamp().to_zoned_datetime(zone.clone()).date();
    let day = |offset: i64| today.checked_add(Span::new().days(offset)).ok();
    match (written.year, written.month, written.day) {
        (Some(year), Some(month), Some(day)) => reset_on(Date::new(year, month, day).ok()?),
        (None, Some(month), Some(day)) => {
            let years = today.year() - 1..=today.year() + 1;
            years.filter_map(|year| Date::new(year, month, day).ok()).find_map(reset_on)
        }
        (None, None, None) => match written.weekday {
            Some(weekday) => (-1..=7).filter_map(day).filter(|d| d.weekday() == weekday).find_map(reset_on),
            None if written.is_tomorrow => reset_on(day(1)?),
            // the day before, for a time that passed just before midnight
            None => (-1..=1).filter_map(day).find_map(reset_on),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::{TimeZone, TimeZoneDatabase};

    // wordings of many CLIs, on a host in Berlin

    fn bundled(name: &str) -> Option<TimeZone> {
        TimeZoneDatabase::bundled().get(name).ok()
    }

    /// When the limit resets, in UTC, for a message that comes at a time such as `2026-11-23T18:30[Europe/Berlin]`.
    fn reset(message: &str, now: &str) -> Option<String> {
        let now: ZonedDateTime = now.parse().unwrap();
        let left = time_left(message, &now, &bundled)?;
        let reset = now.timestamp() + SignedDuration::try_from(left).unwrap();
        Some(format!("{reset:.0}").trim_end_matches(":00Z").to_owned())
    }

    fn check(now: &str, rows: &[(&str, Option<&str>)]) {
        for (message, want) in rows {
            assert_eq!(reset(message, now).as_deref(), *want, "{message}");
        }
    }

    #[test]
    fn times_of_day() {
        // 17:30 in UTC
        check(
            "2026-11-23T18:30[Europe/Berlin]",
            &[
                (
                    "Claude usage limit reached. Your limit will reset at 9pm (Europe/Berlin).",
                    Some("2026-11-23T20:00"),
                ),
                ("You've hit your session limit · resets 9:15pm (Europe/Berlin)", Some("2026-11-23T20:15")),
                ("You've hit your session limit · resets 11:30pm (UTC)", Some("2026-11-23T23:30")),
                ("You've hit your limit · resets 3am (europe/berlin)", Some("2026-11-24T02:00")),
                ("5-hour limit reached ∙ resets 3pm (Asia/Shanghai)", Some("2026-11-24T07:00")),
                (
                    "Claude usage limit reached. Your limit will reset at 1pm (Etc/GMT+5).",
                    Some("2026-11-23T18:00"),
                ),
                ("resets 2pm (Asia/Calcutta)", Some("2026-11-24T08:30")),
                ("resets 3pm (America/New_York)", Some("2026-11-23T20:00")),
                ("resets 7pm (UTC)", Some("2026-11-23T19:00")),
                ("resets 19:00 UTC.", Some("2026-11-23T19:00")),
                ("Access resets at 11:00 AM GMT+2.", Some("2026-11-24T09:00")),
                ("Access resets at 3:45 PM PST.", Some("2026-11-23T23:45")),
                ("resets 8am (UTC+8)", Some("2026-11-24T00:00")),
                ("resets at 8:00 +08:00", Some("2026-11-24T00:00")),
                ("resets 8am (UTC +8)", Some("2026-11-24T00:00")),
                ("resets at 13:00 GMT-5", Some("2026-11-23T18:00")),
                ("daily quota, resets at midnight Pacific Time", Some("2026-11-24T08:00")),
                ("resets at noon JST", Some("2026-11-24T03:00")),
                ("resets 9 p.m. (local time)", Some("2026-11-23T20:00")),
                ("You've hit your usage limit. Try again at 8:04 PM.", Some("2026-11-23T19:04")),
                ("try again at 08:04", Some("2026-11-24T07:04")),
                ("resets 12pm", Some("2026-11-24T11:00")),
                ("resets 6:25pm", Some("2026-11-23T17:31")),
                ("resets 6:15pm", Some("2026-11-24T17:15")),
            ],
        );
        check("2026-11-24T00:03[Europe/Berlin]", &[("resets 11:58pm", Some("2026-11-23T23:04"))]);
    }

    #[test]
    fn dates() {
        check(
            "2026-11-23T18:30[Europe/Berlin]",
            &[
                ("try again at Nov 24th, 2026 3:04 PM.", Some("2026-11-24T14:04")),
                ("resets Nov 25, 3pm (Europe/Berlin)", Some("2026-11-25T14:00")),
                ("resets Nov 25 at 3pm", Some("2026-11-25T14:00")),
                ("resets Jan 1, 12am (Europe/Berlin)", Some("2026-12-31T23:00")),
                ("resets Dec 7, 3am (America/New_York)", Some("2026-12-07T08:00")),
                ("Weekly limit reached ∙ resets Dec 14", Some("2026-12-13T23:00")),
                (
                    "You've hit your weekly limit · resets Dec 16 at 1am (Asia/Tokyo)",
                    Some("2026-12-15T16:00"),
                ),
                (
                    "add credits to continue, or try again after December 6, 2026, 11:15.",
                    Some("2026-12-06T10:15"),
                ),
                ("resets 3am (America/New_York) on Dec 7", Some("2026-12-07T08:00")),
                ("resets Thursday, 9:59 AM (UTC)", Some("2026-11-26T09:59")),
                ("resets Mon 7pm", Some("2026-11-23T18:00")),
                ("resets Mon 5pm", Some("2026-11-30T16:00")),
                ("resets tomorrow at 9am", Some("2026-11-24T08:00")),
                ("resets 7 December 2026 at 15:00 CET", Some("2026-12-07T14:00")),
                ("Your limit will reset at 2026-12-07 20:53", Some("2026-12-07T19:53")),
                ("Your limit will reset at 2026-12-07 20:53:00+08:00", Some("2026-12-07T12:53")),
                (r#"{"quotaResetTimeStamp":"2026-12-07T03:00:00Z"}"#, Some("2026-12-07T03:00")),
                ("try again at 2026-12-07T03:00:00.000+01:00.", Some("2026-12-07T02:00")),
                ("usage limits will reset when your monthly cycle ends on 12/7/2026.", None),
                ("limits reset on 12/7/2026", Some("2026-12-06T23:00")),
                ("resets at 12/7/2026, 3:00:00 AM", Some("2026-12-07T02:00")),
                ("resets Mon Dec 07 2026 03:00:00 GMT+0800 (China Standard Time)", Some("2026-12-06T19:00")),
                ("Retry-After: Mon, 07 Dec 2026 03:00:00 GMT", Some("2026-12-07T03:00")),
                (r#"{"type":"usage_limit_reached","resets_at":1796612400}"#, Some("2026-12-07T03:00")),
                ("limit resets at 1796612400000", Some("2026-12-07T03:00")),
                ("Claude AI usage limit reached|1796612400", Some("2026-12-07T03:00")),
                ("resets Nov 22, 2026 3pm", None),
                ("resets 2026-11-22T03:00:00Z", None),
            ],
        );
        // the other side of a new year
        check("2026-12-31T23:58[Europe/Berlin]", &[("resets Jan 1, 3am", Some("2027-01-01T02:00"))]);
        check("2027-01-01T00:02[Europe/Berlin]", &[("resets Dec 31, 11:59pm", Some("2026-12-31T23:03"))]);
    }

    #[test]
    fn durations() {
        let now = "2026-11-23T18:30[Europe/Berlin]";
        let rows = [
            ("Your quota will reset after 3h12m5s.", Some(11_525.0)),
            ("try again in 5 minutes", Some(300.0)),
            ("retry-after: 30", Some(30.0)),
            (r#"{"retry_after": 30}"#, Some(30.0)),
            (r#"{"resets_in_seconds":1234}"#, Some(1234.0)),
            (
                r#"{"type":"usage_limit_reached","resets_at":1777936568,"eligible_promo":null,"resets_in_seconds":13872}"#,
                Some(13_872.0),
            ),
            (r#""retryDelay": "36.5s""#, Some(36.5)),
            ("Please try again in 1m12.5s.", Some(72.5)),
            ("Please retry in 500ms", Some(0.5)),
            ("try again in 2 days 3 hours and 5 minutes.", Some(183_900.0)),
            ("try again in 2 days, 3 hours", Some(183_600.0)),
            ("resets in 3d 4h (Oct 7, 3am)", Some(273_600.0)),
            ("resets in ~2 hours", Some(7_200.0)),
            ("Please wait about an hour before you try again", Some(3_600.0)),
            ("retry after 20s", Some(20.0)),
            ("try again in 5", None),
            ("retry 3 times", None),
            ("try again in 3:30", None),
            ("resets in 0s", None),
            ("try again in 99999999999999999999 days", None),
            ("try again in 3é", None),
        ];
        for (message, want) in rows {
            let want = want.map(Duration::from_secs_f64);
            assert_eq!(time_left(message, &now.parse().unwrap(), &bundled), want, "{message}");
            assert_eq!(stated_duration(message), want, "{message}");
        }
    }

    #[test]
    fn what_tells_no_time() {
        let messages = [
            "resets 3pm (Mars/Olympus)",
            "resets 3pm (XYZ)",
            "resets 3",
            "resets 25:00",
            "resets 13pm",
            "resets 3:75",
            "resets soon",
            "try again at",
            "try again later",
            "Please try again. May 5 was better",
            "resets 3:é",
            "resets é",
            "resets nov 3pm",
            "resets Feb 30, 3pm",
            "resets 2026",
            "it resets",
            "no limit until 3pm",
            "or wait for limits to reset (every 5h and every week.).",
            "reached|17600",
            "",
        ];
        for message in messages {
            assert_eq!(reset(message, "2026-11-23T18:30[Europe/Berlin]"), None, "{message}");
        }
    }

    #[test]
    fn changes_of_the_clocks() {
        // on the host: winter time ends on 2026-03-29 at 01:00 UTC, and comes back on 2026-10-25 at 01:00 UTC
        check(
            "2026-03-28T20:00[Europe/Berlin]",
            &[
                ("resets 1am", Some("2026-03-29T00:00")),
                ("resets 4am", Some("2026-03-29T02:00")),
                // skipped: the clocks go from 2am to 3am
                ("resets 2:30am", Some("2026-03-29T01:30")),
            ],
        );
        check(
            "2026-10-24T20:00[Europe/Berlin]",
            &[
                // twice: the second one
                ("resets 2:30am", Some("2026-10-25T01:30")),
                ("resets 4am (Europe/Berlin)", Some("2026-10-25T03:00")),
            ],
        );
        // in the zone of the message: New York falls back on 2026-11-01 at 06:00 UTC, a week after Berlin
        check(
            "2026-10-28T12:00[Europe/Berlin]",
            &[
                ("resets 9am (America/New_York)", Some("2026-10-28T13:00")),
                ("resets Nov 2, 9am (America/New_York)", Some("2026-11-02T14:00")),
                ("resets Nov 1, 1:30am (America/New_York)", Some("2026-11-01T06:30")),
                ("resets 3pm (Asia/Shanghai)", Some("2026-10-29T07:00")),
            ],
        );
        // an abbreviation means what it says, also in the other season
        check(
            "2026-07-01T12:00[Europe/Berlin]",
            &[("resets 3pm PDT", Some("2026-07-01T22:00")), ("resets 3pm PST", Some("2026-07-01T23:00"))],
        );
    }

    #[test]
    fn the_number_for_programs_is_not_shown() {
        assert_eq!(without_epoch("usage limit reached|1760000000"), "usage limit reached");
        assert_eq!(without_epoch("a|b"), "a|b");
    }
}
