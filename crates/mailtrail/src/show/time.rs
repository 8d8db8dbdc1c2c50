//! Times as people write them, and as they are printed.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::clock::calendar;

/// A text that is no time.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no time: write 90s, 15m, 2h or 30d for so long ago, 2026-11-24, 2026-11-24T10:00:00Z or \
     2026-11-24T19:00:00+09:00"
)]
pub struct NoTime(String);

/// Reads `2h`, `30d` (so long before `now`), `2026-11-24` (its start by the zone's clock) or RFC 3339. µs since the epoch, as
/// is `now`.
///
/// A time of day without Z or an offset is refused: whose clock it means would be a guess.
///
/// # Errors
/// When it is none of these.
pub fn parse(text: &str, now: i64, zone: &TimeZone) -> Result<i64, NoTime> {
    let wrong = || NoTime(text.chars().take(40).collect());
    let text = text.trim();
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago).ok_or_else(wrong);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_microsecond());
    }
    let bytes = text.as_bytes();
    // The parser of days alone would take a time of day as well, and drop it.
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return Err(wrong());
    }
    let day: Date = text.parse().map_err(|_| wrong())?;
    calendar::day_start(day, zone).ok_or_else(wrong)
}

/// `90s`, `15m`, `2h`, `30d`, `2w` in µs.
#[must_use]
pub fn ago(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000)
}

/// RFC 3339, UTC, with a fraction only where there is one.
#[must_use]
pub fn rfc3339(micros: i64) -> String {
    // A time outside jiff's range cannot be stored; it is shown as it is.
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |time| time.to_string())
}

/// RFC 3339 by the clock of a zone, with its offset; of UTC as [`rfc3339`].
#[must_use]
pub fn by_clock(micros: i64, zone: &TimeZone) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(time) if zone != &TimeZone::UTC => time.display_with_offset(zone.to_offset(time)).to_string(),
        _ => rfc3339(micros),
    }
}

/// `12 ms`, `3.4 s`.
#[must_use]
pub fn took(duration: std::time::Duration) -> String {
    match SignedDuration::try_from(duration) {
        Ok(short) if short.as_millis() < 1000 => format!("{} ms", short.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// `3 s`, `5 min`, `2 h`, `4 d`: as exact as anybody wants to know.
#[must_use]
pub fn age(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_764_000_000_000_000;

    #[test]
    fn what_people_write() {
        for (text, expected) in [
            ("90s", NOW - 90_000_000),
            ("2h", NOW - 7_200_000_000),
            ("30d", NOW - 30 * 86_400_000_000),
            ("2023-11-14", 1_699_920_000_000_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000_000),
            ("2023-11-15T07:13:20+09:00", 1_700_000_000_000_000),
            (" 2023-11-14T22:13:20.5Z ", 1_700_000_000_500_000),
        ] {
            assert_eq!(parse(text, NOW, &TimeZone::UTC).ok(), Some(expected), "{text}");
        }
        for text in [
            "",
            "h",
            "2 h",
            "-2h",
            "yesterday",
            "2026-13-01",
            "99999999999999999999d",
            "1µ",
            "2026-11-24T10:00:00",
            "2026-11-24T10:00",
            "20261124",
            "2026-1-24",
            "9223372036854775807s",
            "+2026-11-24",
        ] {
            assert!(parse(text, NOW, &TimeZone::UTC).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(micros in 0_i64..4_102_444_800_000_000) {
            prop_assert_eq!(parse(&rfc3339(micros), NOW, &TimeZone::UTC).ok(), Some(micros));
            let zone = TimeZone::get("Asia/Tokyo").unwrap();
            prop_assert_eq!(parse(&by_clock(micros, &zone), NOW, &zone).ok(), Some(micros));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _read = parse(&text, NOW, &TimeZone::UTC);
        }
    }

    #[test]
    fn days_and_times_by_the_clock_of_a_zone() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        // It is the 15th there already.
        assert_eq!(by_clock(1_700_000_000_500_000, &tokyo), "2023-11-15T07:13:20.5+09:00");
        assert_eq!(by_clock(1_700_000_000_000_000, &TimeZone::UTC), "2023-11-14T22:13:20Z");
        assert_eq!(parse("2023-11-15", NOW, &tokyo).ok(), Some(1_699_974_000_000_000));
        // The hour that comes twice is told apart by its offset.
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let twice = [1_698_538_200_000_000, 1_698_541_800_000_000].map(|micros| by_clock(micros, &berlin));
        assert_eq!(twice, ["2023-10-29T02:10:00+02:00", "2023-10-29T02:10:00+01:00"]);
    }

    #[test]
    fn ages() {
        for (seconds, expected) in [(-5, "0 s"), (90, "90 s"), (7_000, "116 min"), (7_200, "2 h"), (200_000, "2 d")] {
            assert_eq!(age(seconds * 1_000_000), expected);
        }
    }
}
