use super::*;
use crate::receive::skew::Ages;
use crate::relay::Standing;
use std::time::Duration;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const GIB: u64 = 1 << 30;
const NOW: i64 = 1_780_000_000 * SECOND;

/// Nothing to worry about.
fn calm() -> Sample {
    Sample {
        now: NOW,
        certificate_end: Some(NOW + 60 * DAY),
        certificate_refused: false,
        backlog: 10 << 20,
        max_backlog: GIB,
        oldest: Duration::from_secs(2),
        free: Some(100 * GIB),
        growth: Some(GIB as f64),
        replaced: false,
        relay: Some(Standing { waiting: 3, oldest: Duration::from_secs(40), set_aside: 0, dropped: 0 }),
    }
}

fn ages(least: i64) -> Option<Ages> {
    Some(Ages { least, posts: 5 })
}

#[test]
fn a_calm_receiver_is_silent() {
    let mut concerns = Concerns::new(config::Watch::default());
    for minute in 0..60 {
        let sample = Sample { now: NOW + minute * 60 * SECOND, ..calm() };
        // Repetitions are old, and slow; fresh ones come between.
        assert_eq!(concerns.judge(&sample, ages(minute % 3 * 40)), []);
        assert_eq!(concerns.judge(&sample, None), []);
    }
    let unknown = Sample { now: NOW, max_backlog: GIB, ..Sample::default() };
    assert_eq!(concerns.judge(&unknown, None), [], "what is not known is no concern");
}

#[test]
fn replaced_files_are_told_once_and_when_they_are_back() {
    let mut concerns = Concerns::new(config::Watch::default());
    let replaced = Sample { replaced: true, ..calm() };
    assert_eq!(concerns.judge(&replaced, None), [Ops::Concern(Concern::Files)]);
    assert_eq!(concerns.judge(&replaced, None), []);
    assert_eq!(concerns.judge(&calm(), None), [Ops::ConcernOver(ConcernKind::Files)]);
}

#[test]
fn a_clock_that_is_behind_is_told_once_and_when_it_is_right() {
    let mut concerns = Concerns::new(config::Watch::default());
    let told = concerns.judge(&calm(), ages(-300));
    assert_eq!(told, [Ops::Concern(Concern::Clock { behind: true, by: Duration::from_secs(300) })]);
    assert_eq!(concerns.judge(&calm(), ages(-310)), []);
    assert_eq!(concerns.judge(&calm(), None), [], "without mail nothing is known");
    assert_eq!(concerns.judge(&calm(), ages(1)), [Ops::ConcernOver(ConcernKind::Clock)]);
}

#[test]
fn a_clock_that_is_ahead_is_told_after_ten_minutes_of_old_signatures_alone() {
    let mut concerns = Concerns::new(config::Watch::default());
    let at = |minute: i64| Sample { now: NOW + minute * 60 * SECOND, ..calm() };
    for minute in 0..10 {
        assert_eq!(concerns.judge(&at(minute), ages(400)), []);
    }
    let told = concerns.judge(&at(10), ages(380));
    assert_eq!(told, [Ops::Concern(Concern::Clock { behind: false, by: Duration::from_secs(380) })]);
    assert_eq!(concerns.judge(&at(11), ages(5)), [Ops::ConcernOver(ConcernKind::Clock)]);
}

#[test]
fn a_certificate_is_told_two_weeks_before_three_days_before_and_at_its_end() {
    let mut concerns = Concerns::new(config::Watch::default());
    let mut told = Vec::new();
    for day in 0..20 {
        let sample = Sample { certificate_end: Some(NOW + 18 * DAY), now: NOW + day * DAY, ..calm() };
        told.extend(concerns.judge(&sample, None).into_iter().map(|_| day));
    }
    assert_eq!(told, [5, 16, 18]);
    let unknown = Sample { certificate_end: None, ..calm() };
    assert_eq!(concerns.judge(&unknown, None), [], "what is not known is as it was");
    assert_eq!(concerns.judge(&calm(), None), [Ops::ConcernOver(ConcernKind::Certificate)]);
}

#[test]
fn a_refused_certificate_is_told_once_and_when_it_is_used() {
    let mut concerns = Concerns::new(config::Watch::default());
    let refused = Sample { certificate_refused: true, ..calm() };
    let told = concerns.judge(&refused, None);
    assert!(matches!(told[..], [Ops::Concern(Concern::Certificate { refused: true, .. })]), "{told:?}");
    assert_eq!(concerns.judge(&refused, None), []);
    assert_eq!(concerns.judge(&calm(), None), [Ops::ConcernOver(ConcernKind::Certificate)]);
}

#[test]
fn a_backlog_is_told_when_it_fills_or_stands_and_over_when_it_is_small() {
    let mut concerns = Concerns::new(config::Watch::default());
    let filled = |percent: u64| Sample { backlog: GIB / 100 * percent + 100, ..calm() };
    assert_eq!(concerns.judge(&filled(49), None), []);
    assert!(matches!(concerns.judge(&filled(51), None)[..], [Ops::Concern(Concern::Backlog { percent: 50..=51, .. })]));
    assert_eq!(concerns.judge(&filled(40), None), [], "neither again nor over");
    assert_eq!(concerns.judge(&filled(92), None).len(), 1, "it got worse");
    assert_eq!(concerns.judge(&calm(), None), [Ops::ConcernOver(ConcernKind::Backlog)]);
    let standing = Sample { oldest: Duration::from_secs(601), ..calm() };
    assert!(matches!(concerns.judge(&standing, None)[..], [Ops::Concern(Concern::Backlog { percent: 0, .. })]));
}

#[test]
fn a_disk_is_told_by_what_is_free_and_by_how_it_fills() {
    let mut concerns = Concerns::new(config::Watch::default());
    let told = concerns.judge(&Sample { free: Some(10 * GIB), ..calm() }, None);
    let Ops::Concern(Concern::Disk { left: Some(left), .. }) = told[0] else { panic!("{told:?}") };
    assert_eq!(left.as_secs() / 86_400, 10);
    assert_eq!(concerns.judge(&calm(), None), [Ops::ConcernOver(ConcernKind::Disk)]);
    let small = Sample { free: Some(GIB - 1), growth: None, ..calm() };
    assert!(matches!(concerns.judge(&small, None)[..], [Ops::Concern(Concern::Disk { left: None, .. })]));
    let idle = Sample { free: Some(2 * GIB), growth: Some(0.0), ..calm() };
    assert_eq!(concerns.judge(&idle, None), [Ops::ConcernOver(ConcernKind::Disk)]);
}

#[test]
fn a_relay_is_told_when_it_is_late_when_posts_are_refused_and_when_some_are_given_up() {
    let mut concerns = Concerns::new(config::Watch::default());
    let with = |minutes: u64, set_aside: u64, dropped: u64| {
        let oldest = Duration::from_secs(60 * minutes);
        Sample { relay: Some(Standing { waiting: 7, oldest, set_aside, dropped }), ..calm() }
    };
    let told = concerns.judge(&with(10, 0, 0), None);
    assert!(
        matches!(told[..], [Ops::Concern(Concern::Relay { waiting: 7, set_aside: 0, dropped: 0, .. })]),
        "{told:?}"
    );
    assert_eq!(concerns.judge(&with(5, 0, 0), None), [], "neither again nor over");
    assert_eq!(concerns.judge(&with(5, 2, 0), None).len(), 1, "it got worse");
    assert_eq!(concerns.judge(&with(5, 3, 0), None), []);
    assert_eq!(concerns.judge(&with(5, 3, 1), None).len(), 1, "it got worse");
    assert_eq!(concerns.judge(&with(0, 3, 0), None), []);
    assert_eq!(concerns.judge(&with(0, 0, 0), None), [Ops::ConcernOver(ConcernKind::Relay)]);
}
