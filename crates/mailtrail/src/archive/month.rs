//! A month of UTC.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// A month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

impl Month {
    /// The one that a time (µs since the epoch) lies in. What lies beyond all calendars lies in its last month.
    #[must_use]
    pub fn of(timestamp: i64) -> Self {
        let edge = if timestamp < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let time = Timestamp::from_microsecond(timestamp).unwrap_or(edge);
        Self { first: TimeZone::UTC.to_datetime(time).date().first_of_month() }
    }

    /// Reads `2025-12`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return None;
        }
        let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
        Some(Self { first })
    }

    /// When it begins, µs since the epoch.
    #[must_use]
    pub fn begin(self) -> i64 {
        let zoned = self.first.to_zoned_datetime(TimeZone::UTC);
        zoned.map_or(i64::MIN, |begin| begin.timestamp().as_microsecond())
    }

    /// When it is over: the next one's begin, µs since the epoch.
    #[must_use]
    pub fn end(self) -> i64 {
        let next = self.first.last_of_month().tomorrow().unwrap_or(date(9999, 12, 31));
        next.to_zoned_datetime(TimeZone::UTC).map_or(i64::MAX, |end| end.timestamp().as_microsecond())
    }
}

/// `2025-12`
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_begin_and_end_in_utc() {
        let month = Month::parse("2024-02").unwrap();
        assert_eq!(month.begin(), 1_706_745_600_000_000);
        assert_eq!(month.end(), month.begin() + 29 * 86_400_000_000);
        assert_eq!((Month::of(month.begin()), Month::of(month.end() - 1)), (month, month));
        assert_eq!(Month::of(month.end()).to_string(), "2024-03");
        assert_eq!(Month::of(Month::parse("2025-12").unwrap().end()).to_string(), "2026-01");
        for text in ["", "2025-13", "2025-1", "25-01", "2025-01-01", "+025-01", "2025/01"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_lies_in_its_month(timestamp in -2_000_000_000_000_000_i64..6_000_000_000_000_000) {
            let month = Month::of(timestamp);
            prop_assert!(month.begin() <= timestamp && timestamp < month.end());
            if timestamp > 0 {
                prop_assert_eq!(Month::parse(&month.to_string()), Some(month));
            }
        }

        #[test]
        fn no_time_is_too_far(timestamp in any::<i64>()) {
            let month = Month::of(timestamp);
            prop_assert!(month.begin() < month.end());
        }
    }
}
