//! The clock that the page shows: `[output] time_zone`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone's clock.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    zone: TimeZone,
}

impl Zone {
    pub(super) fn new(zone: &TimeZone) -> Self {
        Self { zone: zone.clone() }
    }

    pub(super) fn inner(&self) -> &TimeZone {
        &self.zone
    }

    /// As headings say it: `UTC`, `Asia/Tokyo`.
    pub(super) fn name(&self) -> String {
        self.zone.iana_name().unwrap_or("UTC").to_owned()
    }

    /// `2026-11-24` and `10:02:03`.
    pub(super) fn day_and_clock(&self, micros: i64) -> (String, String) {
        Timestamp::from_microsecond(micros).map_or_else(
            |_| (micros.to_string(), String::new()),
            |time| {
                let local = time.to_zoned_datetime(self.zone.clone());
                (local.strftime("%Y-%m-%d").to_string(), local.strftime("%H:%M:%S").to_string())
            },
        )
    }

    /// `2026-11-24 10:02`
    pub(super) fn minute(&self, micros: i64) -> String {
        let (day, clock) = self.day_and_clock(micros);
        format!("{day} {}", clock.get(..5).unwrap_or_default()).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_000_000_000_000; // 2026-05-28T20:26:40Z

    fn zone(name: &str) -> Zone {
        Zone::new(&TimeZone::get(name).expect("a zone"))
    }

    #[test]
    fn days_are_those_of_the_place() {
        for (name, minute) in [
            ("UTC", "2026-05-28 20:26"),
            ("Asia/Tokyo", "2026-05-29 05:26"),
            ("Asia/Kolkata", "2026-05-29 01:56"),
            ("America/New_York", "2026-05-28 16:26"),
        ] {
            let zone = zone(name);
            assert_eq!((zone.minute(NOW).as_str(), zone.name().as_str()), (minute, name));
        }
        assert_eq!(zone("UTC").minute(i64::MAX), i64::MAX.to_string(), "what no clock shows is a number");
    }
}
