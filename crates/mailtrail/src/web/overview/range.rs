//! From when to when, and how finely.

use crate::clock::calendar::Period;
use crate::show::time;
use crate::store::query::Filter;
use crate::web::zone::Zone;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Name in the URL, and length.
pub(super) const PRESETS: [(&str, i64); 4] = [("24h", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY), ("90d", 90 * DAY)];

/// What is shown without a wish.
const DEFAULT: (&str, i64) = PRESETS[1];

/// Longest time that is drawn.
const LONGEST: i64 = 400 * DAY;

/// A time, µs since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) since: i64,
    pub(super) until: i64,
    /// Its name where it is one of [`PRESETS`].
    pub(super) preset: Option<&'static str>,
}

impl Range {
    /// `range=7d`, or `since=…&until=…`; anything else is the default.
    pub(super) fn parse(query: &str, now: i64, zone: &Zone) -> Self {
        let field = |wanted: &str| {
            form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value)
        };
        let at = |name: &str| time::parse(&field(name)?, now, zone.inner()).ok();
        if let (Some(since), Some(until)) = (at("since"), at("until"))
            && since < until
            && until.saturating_sub(since) <= LONGEST
        {
            return Self { since, until, preset: None };
        }
        let wanted = field("range");
        let (name, length) = PRESETS.into_iter().find(|(name, _)| wanted.as_deref() == Some(*name)).unwrap_or(DEFAULT);
        let (period, bars) = bars(length);
        // Whole periods, the one that is running included.
        Self {
            since: period.back(now, bars - 1, zone.inner()),
            until: period.end(now, zone.inner()),
            preset: Some(name),
        }
    }

    /// What a bar stands for.
    pub(super) fn period(&self) -> Period {
        bars(self.until.saturating_sub(self.since)).0
    }

    pub(super) fn query(&self) -> String {
        match self.preset {
            Some(name) => format!("?range={name}"),
            None => format!("?{}", between(self.since, self.until)),
        }
    }

    pub(super) fn filter(&self) -> Filter {
        Filter { since: Some(self.since), until: Some(self.until), ..Filter::default() }
    }
}

/// `since=…&until=…` as both pages take it.
pub(super) fn between(since: i64, until: i64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("since", &time::rfc3339(since)).append_pair("until", &time::rfc3339(until));
    query.finish()
}

/// What the bars of a range stand for, and how many there are, at least one.
fn bars(length: i64) -> (Period, usize) {
    let (period, each) = if length <= 36 * HOUR {
        (Period::Hour, HOUR)
    } else if length <= 10 * DAY {
        (Period::QuarterDay, 6 * HOUR)
    } else {
        (Period::Day, DAY)
    };
    (period, usize::try_from(length / each).unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_000_000_000_000;

    fn utc() -> Zone {
        Zone::new(&jiff::tz::TimeZone::UTC)
    }

    #[test]
    fn presets_hold_whole_steps_and_the_present() {
        for (name, length) in PRESETS {
            let range = Range::parse(&format!("range={name}"), NOW, &utc());
            assert_eq!((range.until - range.since, range.preset), (length, Some(name)));
            let period = range.period();
            assert_eq!(range.until, period.end(NOW, utc().inner()));
            assert_eq!(range.since, period.start(range.since, utc().inner()));
            assert!((20..=100).contains(&bars(length).1), "{name}: as many bars as can be read");
            assert_eq!(Range::parse(range.query().trim_start_matches('?'), NOW, &utc()), range);
        }
    }

    #[test]
    fn a_zoomed_range_is_its_own_url() {
        let range = Range { since: NOW - HOUR, until: NOW, preset: None };
        assert_eq!(Range::parse(range.query().trim_start_matches('?'), NOW, &utc()), range);
        for wrong in
            ["", "range=x", "since=2026-01-02&until=2026-01-01", "since=1970-01-01&until=2026-01-01", "since=x"]
        {
            assert_eq!(Range::parse(wrong, NOW, &utc()).preset, Some("7d"), "{wrong}");
        }
    }
}
