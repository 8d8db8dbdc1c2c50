//! Notices with made-up figures.

use std::time::Duration;

use crate::clock;
use crate::notify::{
    AlertGroup, Counted, Counts, Destination, Domains, Label, Notice, Ops, Outstanding, RunSummary, View,
};
use crate::settle::Status;

/// Which notice to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Everybody is settled
    Settled,
    /// Not everybody was in time
    TimedOut,
    /// Still going on
    Interim,
    /// All but deferred mail is settled
    Quiet,
    /// Events that a rule asks for
    Alert,
    /// No events come in
    Silence,
    /// Every POST is refused
    Refusals,
    /// The test notice
    Test,
}

pub(super) fn notice(kind: Kind) -> Notice {
    let rule = || Label::new("hard bounces");
    match kind {
        Kind::Settled => {
            Notice::RunSettled(summary(&[(Status::Delivered, 978), (Status::Bounce, 14), (Status::Blocked, 8)]))
        }
        Kind::TimedOut => Notice::RunTimedOut { summary: unsettled(), outstanding: outstanding(3) },
        Kind::Interim => Notice::RunInterim { summary: unsettled(), outstanding: outstanding(3) },
        Kind::Quiet => {
            let summary = summary(&[(Status::Delivered, 978), (Status::Bounce, 13), (Status::Deferred, 9)]);
            Notice::RunQuiet { summary, outstanding: outstanding(0) }
        }
        Kind::Alert => Notice::Alert(AlertGroup {
            rule: rule(),
            to: Destination::Business,
            counts: counted(&[("bounce", 14), ("blocked", 8)]),
            top_reasons: counted(&[("Invalid Address", 12), ("Mailbox Unavailable", 7), ("5.7.1", 3)]),
            raw_reasons: counted(&[("550 5.1.1 The email account that you tried to reach does not exist", 12)]),
            runs: counted(&[("2026-11-newsletter", 22)]),
            categories: counted(&[("newsletter", 22)]),
            domains: domains(),
            first: clock::now_micros() - 90_000_000,
            last: clock::now_micros(),
            view: View::Activity(vec![("status", "bounce".to_owned()), ("category", "newsletter".to_owned())]),
        }),
        Kind::Silence => Notice::Ops(Ops::Silence {
            rule: rule(),
            lasting: Duration::from_secs(6 * 3600),
            last: Some(clock::now_micros() - 21_600_000_000),
        }),
        Kind::Refusals => Notice::Ops(Ops::Refusals {
            refused: 42,
            lasting: Duration::from_secs(600),
            reason: "signature_wrong",
            proven: true,
        }),
        Kind::Test => Notice::Test,
    }
}

fn summary(counts: &[(Status, u64)]) -> RunSummary {
    RunSummary {
        run: Label::new("2026-11-newsletter"),
        recipients: counts.iter().map(|(_, count)| count).sum(),
        counts: counts.iter().copied().collect::<Counts>(),
        completeness: Some(1.0),
        elapsed: Duration::from_secs(754),
        top_reasons: counted(&[("Invalid Address", 12), ("Mailbox Unavailable", 7), ("5.7.1", 3)]),
        raw_reasons: counted(&[("550 5.1.1 The email account that you tried to reach does not exist", 12)]),
        view: View::Run("2026-11-newsletter".to_owned()),
    }
}

fn unsettled() -> RunSummary {
    let counts = [(Status::Delivered, 978), (Status::Bounce, 9), (Status::Deferred, 9), (Status::Processed, 1)];
    RunSummary { completeness: Some(0.997), ..summary(&[&counts[..], &[(Status::Unknown, 3)]].concat()) }
}

fn outstanding(unknown: u64) -> Outstanding {
    Outstanding { unknown, processed: unknown.min(1), deferred: 9, unsent: 0, domains: domains() }
}

fn counted(items: &[(&str, u64)]) -> Vec<Counted> {
    items.iter().map(|(text, count)| (Label::new(text), *count)).collect()
}

fn domains() -> Domains {
    Domains::fold([(Some("example.com"), 9), (Some("example.jp"), 2)])
}
