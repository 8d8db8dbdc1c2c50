//! Times as files and tables write them.

use jiff::Timestamp;

/// RFC 3339, also with a blank for the `T`, BigQuery's `2026-11-24 10:00:00 UTC`, or a number of seconds or milliseconds. A time
/// of day without its offset is none: whose clock it means would be a guess. µs since the epoch.
pub(super) fn micros(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(time) = sendgrid_events::Timestamp::from_number(text) {
        return Some(time.as_micros());
    }
    let zulu = text.strip_suffix("UTC").map(|rest| format!("{}Z", rest.trim_end()));
    let time: Timestamp = zulu.as_deref().unwrap_or(text).parse().ok()?;
    Some(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_other_tools() {
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14 22:13:20 UTC",
            "2023-11-14 22:13:20+00:00",
            "2023-11-15T07:13:20.000000+09:00",
            "1700000000",
            "1700000000000",
            "1.7E9",
        ] {
            assert_eq!(micros(text), Some(1_700_000_000_000_000), "{text}");
        }
        assert_eq!(micros("2023-11-14 22:13:20.123456 UTC"), Some(1_700_000_000_123_456));
        for text in ["", "2h", "2023-11-14", "2023-11-14T22:13:20", "UTC", "12"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
