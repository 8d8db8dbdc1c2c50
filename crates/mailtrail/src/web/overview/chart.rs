//! Events over time as bars, drawn by the server: no script, and colours that follow the page's.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::super::event_view::Tone;
use super::super::texts::{Texts, grouped};
use super::super::zone::Zone;
use super::range::{Range, between};
use crate::clock::calendar::Period;
use crate::settle::Status;
use crate::store::query::Group;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 26.0;
const TOP: f64 = 10.0;

/// Layers from the ground up: bad news on top, where they stand out.
const LAYERS: [Tone; 5] = [Tone::Calm, Tone::Good, Tone::Info, Tone::Warn, Tone::Bad];

/// Least height of a layer that is there at all, so that three bounces among a million are seen.
const LEAST: f64 = 2.0;

/// Labels below the axis.
const LABELS: usize = 8;

/// A drawing.
pub(super) struct Chart {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) bars: Vec<Bar>,
    pub(super) lines: Vec<Line>,
    pub(super) labels: Vec<Label>,
    pub(super) legend: Vec<(&'static str, String)>,
    /// Whether bars stand for hours, so that a table's heading says so.
    pub(super) by_hour: bool,
}

/// The events of a step.
pub(super) struct Bar {
    pub(super) url: String,
    pub(super) title: String,
    pub(super) when: String,
    pub(super) total: u64,
    pub(super) total_text: String,
    pub(super) x: f64,
    pub(super) width: f64,
    pub(super) parts: Vec<Part>,
}

/// A layer of a bar.
pub(super) struct Part {
    pub(super) tone: &'static str,
    pub(super) y: f64,
    pub(super) height: f64,
}

/// A line of the grid.
pub(super) struct Line {
    pub(super) y: f64,
    pub(super) label: String,
}

/// A text below the axis.
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) text: String,
}

impl Chart {
    /// Draws groups of (hour, status, event); `hours_of`: the zone whose hours were counted, each of which lies within one bar.
    pub(super) fn new(groups: &[Group], hours_of: &TimeZone, range: &Range, t: &Texts, zone: &Zone) -> Self {
        let period = range.period();
        let mut steps: BTreeMap<i64, [u64; LAYERS.len()]> = BTreeMap::new();
        let mut at = period.start(range.since, zone.inner());
        while at < range.until {
            steps.insert(at, Default::default());
            at = period.end(at, zone.inner());
        }
        let mut names: [Vec<String>; LAYERS.len()] = Default::default();
        for group in groups {
            let [Some(hour), Some(status), Some(event)] = &group.keys[..] else { continue };
            let Some(hour) = Period::Hour.parse_label(hour, hours_of) else { continue };
            let status = Status::parse(status).unwrap_or(Status::Unknown);
            let tone = Tone::of(event, status);
            let Some(layer) = LAYERS.iter().position(|layer| *layer == tone) else { continue };
            let at = period.start(hour, zone.inner());
            if let Some(count) = steps.get_mut(&at).and_then(|counts| counts.get_mut(layer)) {
                *count += group.count;
            }
            let name = if status == Status::Blocked { t.blocked } else { t.event_name(event).unwrap_or(t.other) };
            if let Some(names) = names.get_mut(layer)
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
        let top = nice(steps.values().map(|counts| counts.iter().sum()).max().unwrap_or(0));
        let scale = (HEIGHT - TOP - BOTTOM) / top as f64;
        let slot = (WIDTH - LEFT) / steps.len().max(1) as f64;
        let bars: Vec<Bar> = steps
            .iter()
            .zip(0_u32..)
            .map(|((at, counts), index)| bar(*at, period, zone, counts, LEFT + slot * f64::from(index), slot, scale))
            .collect();
        let labels = labels(&bars, period);
        Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            labels,
            lines: [0, top / 2, top]
                .into_iter()
                .map(|value| Line { y: HEIGHT - BOTTOM - value as f64 * scale, label: short(value) })
                .collect(),
            legend: LAYERS
                .iter()
                .zip(names)
                .filter(|(_, names)| !names.is_empty())
                .map(|(layer, names)| (layer.class(), names.join(", ")))
                .collect(),
            by_hour: period == Period::Hour,
            bars,
        }
    }
}

/// Hours if bars are hours, else the days, each below its first bar.
fn labels(bars: &[Bar], period: Period) -> Vec<Label> {
    let (part, dated): (_, Vec<&Bar>) = if period == Period::Hour {
        (11..16, bars.iter().collect())
    } else {
        let date = |bar: &Bar| bar.when.get(..10).map(str::to_owned);
        let before = std::iter::once(None).chain(bars.iter().map(date));
        (5..10, bars.iter().zip(before).filter(|(bar, before)| date(bar) != *before).map(|(bar, _)| bar).collect())
    };
    let every = dated.len().div_ceil(LABELS).max(1);
    let each = dated.into_iter().step_by(every);
    each.map(|bar| Label {
        x: bar.x + bar.width / 2.0,
        text: bar.when.get(part.clone()).unwrap_or_default().to_owned(),
    })
    .collect()
}

fn bar(at: i64, period: Period, zone: &Zone, counts: &[u64; LAYERS.len()], x: f64, slot: f64, scale: f64) -> Bar {
    let total: u64 = counts.iter().sum();
    let mut y = HEIGHT - BOTTOM;
    let mut parts = Vec::new();
    for (layer, count) in LAYERS.iter().zip(counts).filter(|(_, count)| **count > 0) {
        let height = (*count as f64 * scale).max(LEAST);
        y -= height;
        parts.push(Part { tone: layer.class(), y, height });
    }
    let when = zone.minute(at);
    let page = if period == Period::Hour { "/activity" } else { "/overview" };
    let gap = (slot * 0.18).min(6.0);
    Bar {
        url: format!("{page}?{}", between(at, period.end(at, zone.inner()))),
        title: format!("{when} · {}", grouped(total)),
        when,
        total,
        total_text: grouped(total),
        x: x + gap / 2.0,
        width: slot - gap,
        parts,
    }
}

/// The next of 2, 4, … 18, 20, 40, … that is not below: a top of an axis that halves well.
fn nice(most: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for factor in [2, 4, 6, 8, 10, 12, 14, 16, 18] {
            let top = unit.saturating_mul(factor);
            if top >= most || top == u64::MAX {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// `1.5k`, `2M`: an axis has no room for more.
fn short(value: u64) -> String {
    let scaled = |unit: u64, sign: &str| {
        let tenths = value / (unit / 10);
        if tenths.is_multiple_of(10) {
            format!("{}{sign}", tenths / 10)
        } else {
            format!("{}.{}{sign}", tenths / 10, tenths % 10)
        }
    };
    match value {
        0..1_000 => value.to_string(),
        1_000..1_000_000 => scaled(1_000, "k"),
        _ => scaled(1_000_000, "M"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::texts::Lang;

    fn group(hour: &str, status: &str, event: &str, count: u64) -> Group {
        Group { keys: [hour, status, event].map(|key| Some(key.to_owned())).to_vec(), count }
    }

    #[test]
    fn every_event_stands_in_the_bar_of_its_time() {
        let now = 1_780_000_000_000_000; // 2026-05-28T20:26:40Z
        for (preset, zone) in
            [("24h", "UTC"), ("7d", "UTC"), ("30d", "UTC"), ("7d", "Asia/Tokyo"), ("30d", "Asia/Tokyo")]
        {
            let zone = Zone::new(&TimeZone::get(zone).expect("a zone"));
            let range = Range::parse(&format!("range={preset}"), now, &zone);
            let groups = [
                group("2026-05-28T20:00Z", "delivered", "delivered", 900_000),
                group("2026-05-28T20:00Z", "bounce", "bounce", 3),
                group("2026-05-28T13:00Z", "delivered", "open", 40),
            ];
            let chart = Chart::new(&groups, &TimeZone::UTC, &range, Lang::English.texts(), &zone);
            let total: u64 = chart.bars.iter().map(|bar| bar.total).sum();
            assert_eq!(total, 900_043, "{preset}");
            let last = chart.bars.last().expect("bars");
            assert!(last.parts.iter().all(|part| part.y >= 0.0 && part.height >= LEAST));
            let right = last.x + last.width;
            assert!(right <= WIDTH && chart.bars[0].x >= LEFT);
            assert_eq!(chart.legend.len(), 3);
            assert!(chart.labels.len() <= LABELS + 1);
        }
    }

    /// CenturyLinkCloud/mdw#764: the clocks changed between an event and the moment of the question. Zones with 5:45 and with changes
    /// of half an hour are among them.
    #[test]
    fn bars_are_the_periods_of_the_zone_whatever_changes_of_the_clocks_lie_between() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_microsecond();
        for name in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"]
        {
            let inner = TimeZone::get(name).expect("a zone");
            let zone = Zone::new(&inner);
            for (now, preset) in ["2026-12-01T12:00:00Z", "2026-04-06T01:10:00Z", "2026-10-25T03:00:00Z"]
                .into_iter()
                .flat_map(|now| ["24h", "7d", "30d", "90d"].map(|preset| (at(now), preset)))
            {
                let range = Range::parse(&format!("range={preset}"), now, &zone);
                let period = range.period();
                // An event in the middle of each hour, counted as a store counts it.
                let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
                let mut groups = Vec::new();
                let mut hour = range.since;
                while hour < range.until {
                    let (start, end) = Period::Hour.bounds(hour, &inner);
                    let middle = start.midpoint(end);
                    *expected.entry(period.start(middle, &inner)).or_default() += 1;
                    let label = Period::Hour.label(middle, &inner).expect("a label");
                    groups.push(group(&label, "delivered", "delivered", 1));
                    hour = end;
                }
                let chart = Chart::new(&groups, &inner, &range, Lang::English.texts(), &zone);
                let totals: Vec<u64> = chart.bars.iter().map(|bar| bar.total).collect();
                assert_eq!(totals, expected.values().copied().collect::<Vec<_>>(), "{name} {preset}");
                assert!(chart.labels.len() > 2, "{name} {preset}: {} labels", chart.labels.len());
                let shown: Vec<_> = chart.bars.iter().map(|bar| bar.when.clone()).collect();
                let starts: Vec<_> = expected.keys().map(|start| zone.minute(*start)).collect();
                assert_eq!(shown, starts, "{name} {preset}");
            }
        }
    }

    #[test]
    fn axes_are_short_and_halve_well() {
        for (most, top) in [(0, 2), (2, 2), (3, 4), (9, 10), (11, 12), (137, 140), (900_003, 1_000_000)] {
            assert_eq!(nice(most), top);
        }
        assert!(nice(u64::MAX) > 0);
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1k"), (1_500, "1.5k"), (2_000_000, "2M")] {
            assert_eq!(short(value), text);
        }
    }
}
