//! Time zones as a message spells them: `UTC`, `JST`, `PT`, `GMT-5`, `+08:00`, `Asia/Shanghai`. Pure: IANA names are
//! looked up by the caller's function.

use jiff::tz::{Offset, TimeZone};

/// Looks up an IANA time zone name, in lower case.
pub type ZoneLookup<'f> = &'f dyn Fn(&str) -> Option<TimeZone>;

/// Abbreviations with their offsets in minutes east of UTC. An abbreviation that names standard or daylight-saving time
/// means just that, all the year round: "3pm PST" in July is 3pm at UTC-8, although the clocks of California show 4pm. If
/// the author was careless, the turn runs an hour late, but not before the reset.
///
/// Ambiguous ones have the meaning that is most common in messages of CLIs: `CST` is that of America (not China or Cuba), `IST`
/// India (not Israel or Ireland), `BST` British Summer Time (not Bangladesh), `AST` Atlantic (not Arabia).
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("cest", 120),
    ("eet", 120),
    ("eest", 180),
    ("sast", 120),
    ("msk", 180),
    ("trt", 180),
    ("gst", 240),
    ("pkt", 300),
    ("ist", 330),
    ("ict", 420),
    ("wib", 420),
    ("hkt", 480),
    ("sgt", 480),
    ("myt", 480),
    ("pht", 480),
    ("awst", 480),
    ("jst", 540),
    ("kst", 540),
    ("acst", 570),
    ("acdt", 630),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("hst", -600),
    ("akst", -540),
    ("akdt", -480),
    ("pst", -480),
    ("pdt", -420),
    ("mst", -420),
    ("mdt", -360),
    ("cst", -360),
    ("cdt", -300),
    ("est", -300),
    ("edt", -240),
    ("ast", -240),
    ("adt", -180),
    ("nst", -210),
    ("ndt", -150),
    ("brt", -180),
];

/// Words for a region's time, whichever of standard and daylight-saving time is in force there; and old names of zones, which CLIs
/// on Node print (their ICU has kept them) and which the databases of many systems no longer hold.
const REGIONS: &[(&str, &str)] = &[
    ("pt", "America/Los_Angeles"),
    ("pacific", "America/Los_Angeles"),
    ("mt", "America/Denver"),
    ("mountain", "America/Denver"),
    ("ct", "America/Chicago"),
    ("central", "America/Chicago"),
    ("et", "America/New_York"),
    ("eastern", "America/New_York"),
    ("africa/asmera", "Africa/Asmara"),
    ("america/buenos_aires", "America/Argentina/Buenos_Aires"),
    ("america/catamarca", "America/Argentina/Catamarca"),
    ("america/coral_harbour", "America/Atikokan"),
    ("america/cordoba", "America/Argentina/Cordoba"),
    ("america/godthab", "America/Nuuk"),
    ("america/indianapolis", "America/Indiana/Indianapolis"),
    ("america/jujuy", "America/Argentina/Jujuy"),
    ("america/louisville", "America/Kentucky/Louisville"),
    ("america/mendoza", "America/Argentina/Mendoza"),
    ("asia/calcutta", "Asia/Kolkata"),
    ("asia/katmandu", "Asia/Kathmandu"),
    ("asia/rangoon", "Asia/Yangon"),
    ("asia/saigon", "Asia/Ho_Chi_Minh"),
    ("atlantic/faeroe", "Atlantic/Faroe"),
    ("europe/kiev", "Europe/Kyiv"),
    ("pacific/enderbury", "Pacific/Kanton"),
    ("pacific/ponape", "Pacific/Pohnpei"),
    ("pacific/truk", "Pacific/Chuuk"),
];

/// Largest offset that is in use (Line Islands), in minutes.
const MAX_OFFSET: i32 = 14 * 60;

/// The zone that a word in lower case names; `iana` looks up a name of the time zone database.
pub(super) fn find(word: &str, iana: &dyn Fn(&str) -> Option<TimeZone>) -> Option<TimeZone> {
    let region = REGIONS.iter().find(|(name, _)| *name == word).map(|(_, zone)| *zone);
    let abbreviation = ABBREVIATIONS.iter().find(|(name, _)| *name == word).map(|(_, minutes)| *minutes);
    if let Some(minutes) = abbreviation.or_else(|| offset(word)) {
        return Some(TimeZone::fixed(Offset::from_seconds(minutes * 60).ok()?));
    }
    iana(region.unwrap_or(word))
}

/// Minutes east of UTC: `+8`, `+08`, `+0800`, `+08:00`, also behind `utc` or `gmt`. The sign is that of ISO 8601: `GMT-5` is west
/// of Greenwich (unlike the IANA name `Etc/GMT-5`).
fn offset(word: &str) -> Option<i32> {
    let signed = word.strip_prefix("utc").or_else(|| word.strip_prefix("gmt")).unwrap_or(word);
    let signed = signed.replace('−', "-");
    let sign = match signed.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match signed[1..].split_once(':') {
        Some(parts) => parts,
        None if signed.len() == 5 => signed[1..].split_at_checked(2)?,
        None => (&signed[1..], "0"),
    };
    let is_number = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let minutes: i32 = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok().filter(|m| *m < 60)?;
    (minutes <= MAX_OFFSET).then_some(sign * minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZoneDatabase;

    #[test]
    fn zones_by_name_abbreviation_and_offset() {
        let summer: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        let iana = |name: &str| TimeZoneDatabase::bundled().get(name).ok();
        let minutes = |word: &str| Some(find(word, &iana)?.to_offset(summer).seconds() / 60);
        #[rustfmt::skip]
        let rows = [
            ("utc", Some(0)), ("z", Some(0)), ("jst", Some(540)), ("cet", Some(60)), ("pst", Some(-480)), ("pt", Some(-420)),
            ("eastern", Some(-240)), ("ist", Some(330)), ("+8", Some(480)), ("+08", Some(480)), ("+0800", Some(480)),
            ("+08:00", Some(480)), ("utc+8", Some(480)), ("gmt+0800", Some(480)), ("gmt-5", Some(-300)), ("gmt−5", Some(-300)),
            ("gmt+5:30", Some(330)), ("-04:30", Some(-270)), ("+00:00", Some(0)), ("asia/shanghai", Some(480)),
            ("asia/calcutta", Some(330)), ("europe/kiev", Some(180)), ("america/new_york", Some(-240)), ("etc/gmt+5", Some(-300)),
            ("mars/olympus", None), ("xyz", None), ("+15:00", None), ("+1:99", None), ("+", None), ("-", None), ("", None),
            ("utc+é", None), ("+éa", None), ("+99999", None),
        ];
        for (word, want) in rows {
            assert_eq!(minutes(word), want, "{word}");
        }
    }

    #[test]
    fn a_database_without_old_names_knows_their_zones() {
        let iana = |name: &str| matches!(name, "Asia/Kolkata").then_some(TimeZone::UTC);
        assert_eq!(find("asia/calcutta", &iana), Some(TimeZone::UTC));
    }
}
