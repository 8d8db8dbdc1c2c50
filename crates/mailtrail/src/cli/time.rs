//! Times as people write them on the command line.

use super::exit::UsageError;
use super::style;
use crate::show::time;

pub(super) use time::{ago, took};

/// As [`time::parse`], days by the clock of `[output] time_zone`; what is no time is wrong usage.
pub(super) fn parse(text: &str, now: i64) -> Result<i64, UsageError> {
    time::parse(text, now, style::zone()).map_err(|error| UsageError(error.to_string()))
}

/// RFC 3339 by the clock of `[output] time_zone`. µs since the epoch.
pub(super) fn rfc3339(micros: i64) -> String {
    time::by_clock(micros, style::zone())
}

/// Reads a time to come: `2h` is so long after `now`; otherwise as [`parse`].
pub(super) fn ahead(text: &str, now: i64) -> Result<i64, UsageError> {
    match ago(text.trim()) {
        Some(span) => Ok(now.saturating_add(span)),
        None => parse(text, now),
    }
}

/// Reads how long: `90s`, `15m`, `2h`, `3d`.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, UsageError> {
    let micros = ago(text.trim()).and_then(|micros| u64::try_from(micros).ok());
    micros.map(std::time::Duration::from_micros).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        UsageError(format!("{text:?} is no length of time: write 90s, 15m, 2h or 3d"))
    })
}

/// `45s`, `12m`, `3h 5m`, `2d 4h`: how long, for people.
pub(super) fn long(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_for_people_and_by_people() {
        for (text, seconds, printed) in
            [("45s", 45, "45s"), ("90s", 90, "1m"), ("185m", 11_100, "3h 5m"), ("2d", 172_800, "2d 0h")]
        {
            assert_eq!(duration(text).ok(), Some(std::time::Duration::from_secs(seconds)), "{text}");
            assert_eq!(long(i64::try_from(seconds).expect("small") * 1_000_000), printed);
        }
        assert!(duration("soon").is_err() && duration("5").is_err());
    }
}
