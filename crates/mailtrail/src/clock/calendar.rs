//! Hours, quarters of days and days by the clock of a time zone: where each begins and ends, and how it is labelled. Every count by
//! time and every bound that is a date uses this module, so that an event is always inside the bounds that its label stands for.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const HOUR: i64 = 3_600_000_000;

/// What time is counted by. Times are µs since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From a full hour to the next; an hour in which the clocks change ends at the change.
    Hour,
    /// From 0, 6, 12 or 18 o'clock.
    QuarterDay,
    /// From midnight, or the first moment of a day without midnight.
    Day,
}

impl Period {
    /// Where the period that contains `micros` begins.
    #[must_use]
    pub fn start(self, micros: i64, zone: &TimeZone) -> i64 {
        self.bounds(micros, zone).0
    }

    /// Where the period that contains `micros` ends and the next begins.
    #[must_use]
    pub fn end(self, micros: i64, zone: &TimeZone) -> i64 {
        self.bounds(micros, zone).1
    }

    /// Start and end of the period that contains `micros`.
    #[must_use]
    pub fn bounds(self, micros: i64, zone: &TimeZone) -> (i64, i64) {
        let Ok(time) = Timestamp::from_microsecond(micros) else { return (micros, micros.saturating_add(1)) };
        let found = match self {
            Self::Hour => hour(time, zone),
            Self::QuarterDay => by_civil_time(time, zone, 6),
            Self::Day => by_civil_time(time, zone, 24),
        };
        let (start, end) = found.unwrap_or((time, time));
        (start.as_microsecond(), end.as_microsecond().max(micros.saturating_add(1)))
    }

    /// `2026-11-24` for a day, else `2026-11-24T13:00Z` or with the zone's offset, which tells repeated hours apart.
    #[must_use]
    pub fn label(self, micros: i64, zone: &TimeZone) -> Option<String> {
        let time = Timestamp::from_microsecond(self.start(micros, zone)).ok()?;
        let format = match self {
            Self::Day => "%Y-%m-%d",
            _ if *zone == TimeZone::UTC => "%Y-%m-%dT%H:00Z",
            _ => "%Y-%m-%dT%H:00%:z",
        };
        Some(time.to_zoned_datetime(zone.clone()).strftime(format).to_string())
    }

    /// The reverse of [`label`](Self::label): where the period begins.
    #[must_use]
    pub fn parse_label(self, label: &str, zone: &TimeZone) -> Option<i64> {
        if self == Self::Day {
            return day_start(label.parse().ok()?, zone);
        }
        let time: Timestamp = label.parse().ok()?;
        let start = time.as_microsecond();
        if self.label(start, zone).as_deref() == Some(label) {
            return Some(start);
        }
        // The clocks changed within this hour: its period begins at the change.
        Some(zone.following(time).next()?.timestamp().as_microsecond())
    }

    /// Where the period begins that is `count` periods before the one that contains `micros`.
    #[must_use]
    pub fn back(self, micros: i64, count: usize, zone: &TimeZone) -> i64 {
        (0..count).fold(self.start(micros, zone), |start, _| self.start(start.saturating_sub(1), zone))
    }
}

/// Where a date begins.
#[must_use]
pub fn day_start(date: Date, zone: &TimeZone) -> Option<i64> {
    Some(first_moment(date.at(0, 0, 0, 0), zone)?.as_microsecond())
}

/// Whether every hour of the zone within these bounds is an hour of UTC, too.
#[must_use]
pub fn has_hours_of_utc(since: i64, until: i64, zone: &TimeZone) -> bool {
    // A change at the very beginning counts, too, and so does one in the first hour before `since`.
    let since = since.div_euclid(HOUR).saturating_mul(HOUR).saturating_sub(1);
    let (Ok(since), Ok(until)) = (Timestamp::from_microsecond(since), Timestamp::from_microsecond(until)) else {
        return false;
    };
    let is_whole = |time| zone.to_offset(time).seconds() % 3600 == 0;
    let mut changes = zone.following(since).map(|change| change.timestamp()).take_while(|time| *time < until);
    is_whole(since) && changes.all(|time| is_whole(time) && time.as_second() % 3600 == 0)
}

fn hour(time: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let offset = zone.to_offset(time);
    let shift = i64::from(offset.seconds()) * 1_000_000;
    let start = (time.as_microsecond() + shift).div_euclid(HOUR) * HOUR - shift;
    let (mut start, mut end) =
        (Timestamp::from_microsecond(start).ok()?, Timestamp::from_microsecond(start + HOUR).ok()?);
    if zone.to_offset(start) != offset
        && let Some(change) = zone.preceding(time.checked_add(SignedDuration::from_nanos(1)).ok()?).next()
    {
        start = change.timestamp();
    }
    if let Some(change) = zone.following(time).next()
        && change.timestamp() < end
        && zone.to_offset(change.timestamp()) != offset
    {
        end = change.timestamp();
    }
    Some((start, end))
}

/// Periods of `hours` hours that begin anew at midnight. `hours` divides 24.
fn by_civil_time(time: Timestamp, zone: &TimeZone, hours: i8) -> Option<(Timestamp, Timestamp)> {
    let civil = zone.to_datetime(time);
    let mut from = civil.date().at(civil.hour() / hours * hours, 0, 0, 0);
    let mut start = first_moment(from, zone)?;
    loop {
        from = from.checked_add(SignedDuration::from_hours(i64::from(hours))).ok()?;
        let end = first_moment(from, zone)?;
        // Clocks that are set back over a boundary show the period before it once more; it has ended all the same.
        if end > time {
            return Some((start, end));
        }
        start = end;
    }
}

/// The first moment at which a clock shows this time or, if the clocks skip it, a later one.
fn first_moment(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        jiff::tz::AmbiguousOffset::Gap { before, .. } => {
            // With the offset before the change this is a moment after it.
            let after = before.to_timestamp(civil).ok()?;
            let until = after.checked_add(SignedDuration::from_nanos(1)).ok()?;
            zone.preceding(until).next().map(|change| change.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Period; 3] = [Period::Hour, Period::QuarterDay, Period::Day];

    /// Offsets of 5:45 and 5:30, changes of half an hour, at midnight, at 00:01 and of a whole day.
    const ZONES: [&str; 12] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kathmandu",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "America/St_Johns",
        "America/Havana",
        "Asia/Beirut",
        "America/Sao_Paulo",
        "Pacific/Apia",
    ];

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    /// A moment of the years that a trail can hold; often near a change of the clocks.
    fn moment() -> impl Strategy<Value = (TimeZone, i64)> {
        let (first, last) = (at("2009-01-01T00:00:00Z"), at("2040-01-01T00:00:00Z"));
        let near = -7_200_000_000..7_200_000_000_i64;
        (prop::sample::select(&ZONES[..]), first..last, prop::option::of(near)).prop_map(|(name, micros, near)| {
            let zone = zone(name);
            let time = Timestamp::from_microsecond(micros).unwrap();
            let change = zone.following(time).next().map(|change| change.timestamp().as_microsecond());
            let micros = match (change, near) {
                (Some(change), Some(near)) => change + near,
                _ => micros,
            };
            (zone, micros)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

        #[test]
        fn periods_follow_each_other_without_gap_or_overlap((zone, micros) in moment()) {
            for period in ALL {
                let (start, end) = period.bounds(micros, &zone);
                prop_assert!(start <= micros && micros < end, "{:?} {}..{}", period, start, end);
                for inside in [start, end - 1] {
                    prop_assert_eq!(period.bounds(inside, &zone), (start, end), "{:?} of {}", period, inside);
                    prop_assert_eq!(period.label(inside, &zone), period.label(micros, &zone));
                }
                prop_assert_eq!(period.start(end, &zone), end);
                prop_assert_eq!(period.end(start - 1, &zone), start);
                prop_assert_eq!(period.back(micros, 1, &zone), period.start(start - 1, &zone));
                if period != Period::QuarterDay {
                    let label = period.label(micros, &zone).unwrap();
                    prop_assert_eq!(period.parse_label(&label, &zone), Some(start), "{}", label);
                    prop_assert_ne!(period.label(end, &zone), Some(label));
                }
            }
        }

        #[test]
        fn hours_of_utc_are_hours_of_a_zone_that_claims_so((zone, micros) in moment(), hours in 1..200_i64) {
            let since = Period::Hour.start(micros, &zone);
            let until = since + hours * 3_600_000_000;
            if has_hours_of_utc(since, until, &zone) {
                let mut start = since;
                while start < until {
                    prop_assert_eq!(Period::Hour.start(start, &TimeZone::UTC), start);
                    start = Period::Hour.end(start, &zone);
                }
            }
        }
    }

    #[test]
    fn days_and_hours_at_changes_of_the_clocks() {
        for (name, period, moment, start, end, label) in [
            // CenturyLinkCloud/mdw#764: the day of an event before the change, asked after it.
            (
                "Europe/Berlin",
                Period::Day,
                "2026-10-09T22:30:00Z",
                "2026-10-09T22:00:00Z",
                "2026-10-10T22:00:00Z",
                "2026-10-10",
            ),
            // A day of 25 hours.
            (
                "Europe/Berlin",
                Period::Day,
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
                "2026-10-25",
            ),
            // The repeated hour, twice.
            (
                "Europe/Berlin",
                Period::Hour,
                "2026-10-25T00:30:00Z",
                "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00+02:00",
            ),
            (
                "Europe/Berlin",
                Period::Hour,
                "2026-10-25T01:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T02:00+01:00",
            ),
            // Seven hours.
            (
                "Europe/Berlin",
                Period::QuarterDay,
                "2026-10-25T01:30:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T05:00:00Z",
                "2026-10-25T00:00+02:00",
            ),
            (
                "Asia/Kathmandu",
                Period::Hour,
                "2026-10-25T00:30:00Z",
                "2026-10-25T00:15:00Z",
                "2026-10-25T01:15:00Z",
                "2026-10-25T06:00+05:45",
            ),
            // 01:30 to 02:00 comes twice, so that the second hour from 1 o'clock has 30 minutes.
            (
                "Australia/Lord_Howe",
                Period::Hour,
                "2026-04-04T15:10:00Z",
                "2026-04-04T15:00:00Z",
                "2026-04-04T15:30:00Z",
                "2026-04-05T01:00+10:30",
            ),
            // A day without midnight.
            (
                "America/Havana",
                Period::Day,
                "2026-03-08T12:00:00Z",
                "2026-03-08T05:00:00Z",
                "2026-03-09T04:00:00Z",
                "2026-03-08",
            ),
        ] {
            let zone = zone(name);
            assert_eq!(period.bounds(at(moment), &zone), (at(start), at(end)), "{name} {moment}");
            assert_eq!(period.label(at(moment), &zone).as_deref(), Some(label), "{name} {moment}");
        }
    }

    #[test]
    fn a_date_begins_at_its_first_moment() {
        let start = |name, date: &str| day_start(date.parse().unwrap(), &zone(name));
        assert_eq!(start("UTC", "2026-11-24"), Some(at("2026-11-24T00:00:00Z")));
        assert_eq!(start("Asia/Kathmandu", "2026-11-24"), Some(at("2026-11-23T18:15:00Z")));
        assert_eq!(start("America/Havana", "2026-03-08"), Some(at("2026-03-08T05:00:00Z")));
    }
}
