//! What can be told. Numbers, statuses and [`Label`]s alone: an address has no way in.

mod concern;
mod counts;
mod domains;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

pub use concern::{Concern, ConcernKind};
pub use counts::Counts;
pub use domains::{Domains, FEWEST};
pub use view::View;

use super::label::Label;
use super::words;
pub use crate::config::Destination;
use crate::config::Language;

/// Something with how often it was.
pub type Counted = (Label, u64);

/// A notice.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A run's recipients are all settled.
    RunSettled(RunSummary),
    /// A run's recipients were not all settled in time.
    RunTimedOut {
        /// How it stands.
        summary: RunSummary,
        /// Who is outstanding.
        outstanding: Outstanding,
    },
    /// A run is still going on.
    RunInterim {
        /// How it stands.
        summary: RunSummary,
        /// Who is outstanding.
        outstanding: Outstanding,
    },
    /// All who are left of a run are deferred and nothing changes any more: seen, but not settled.
    RunQuiet {
        /// How it stands.
        summary: RunSummary,
        /// Who is outstanding.
        outstanding: Outstanding,
    },
    /// Events that a rule asks for.
    Alert(AlertGroup),
    /// For who runs mailtrail.
    Ops(Ops),
    /// Nothing happened: does it arrive?
    Test,
}

/// What a run, or a selection of mail, has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The run's name, or what selects the mail.
    pub run: Label,
    /// How many were to get it.
    pub recipients: u64,
    /// Recipients by status; together `recipients`.
    pub counts: Counts,
    /// Recipients with at least one event ÷ all, 0 to 1; `None` where there are none.
    pub completeness: Option<f64>,
    /// Since the sending began.
    pub elapsed: Duration,
    /// Why mail did not arrive: SendGrid's classification or the status code, or why SendGrid refused recipients; the most frequent
    /// first.
    pub top_reasons: Vec<Counted>,
    /// What mail servers wrote; told only with `[slack] reasons = true`.
    pub raw_reasons: Vec<Counted>,
    /// Where the page shows it.
    pub view: View,
}

impl RunSummary {
    /// Recipients that the mail did not reach, for good.
    #[must_use]
    pub fn unreached(&self) -> u64 {
        self.counts.iter().filter(|(status, _)| status.is_unreached()).map(|(_, count)| count).sum()
    }

    /// Recipients for whom nothing more is to be waited for.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.counts.iter().filter(|(status, _)| status.is_settled()).map(|(_, count)| count).sum()
    }
}

/// Who is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outstanding {
    /// Without any event.
    pub unknown: u64,
    /// Taken by SendGrid, and nothing since.
    pub processed: u64,
    /// The recipient's server asks to come again.
    pub deferred: u64,
    /// Of those without any event: whom SendGrid was not asked to mail.
    pub unsent: u64,
    /// Their domains.
    pub domains: Domains,
}

/// Events that fulfilled a rule within some time, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertGroup {
    /// What the rule is called.
    pub rule: Label,
    /// Who is told.
    pub to: Destination,
    /// Events by status (where it is bad news) or else by name, the most frequent first.
    pub counts: Vec<Counted>,
    /// SendGrid's classifications or status codes, the most frequent first.
    pub top_reasons: Vec<Counted>,
    /// What mail servers wrote; told only with `[slack] reasons = true`.
    pub raw_reasons: Vec<Counted>,
    /// Runs, the most frequent first.
    pub runs: Vec<Counted>,
    /// Categories, the most frequent first.
    pub categories: Vec<Counted>,
    /// Domains of recipients.
    pub domains: Domains,
    /// When the first one happened, µs since the epoch.
    pub first: i64,
    /// When the last one did.
    pub last: i64,
    /// Where the page shows them.
    pub view: View,
}

impl AlertGroup {
    /// How many events.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

impl Notice {
    /// The headline in English, for the log.
    #[must_use]
    pub fn log_text(&self) -> String {
        words::of(Language::English).headline(self)
    }
}

/// For who runs mailtrail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ops {
    /// No event for so long.
    Silence {
        /// What the rule is called.
        rule: Label,
        /// For how long.
        lasting: Duration,
        /// When the last event came in, µs since the epoch; `None`: none ever.
        last: Option<i64>,
    },
    /// Events come again after a silence.
    SilenceOver {
        /// What the rule is called.
        rule: Label,
        /// How long it lasted.
        lasted: Duration,
    },
    /// No POST is accepted.
    Refusals {
        /// How many were refused.
        refused: u64,
        /// Since when.
        lasting: Duration,
        /// The last one's reason, as in the metric.
        reason: &'static str,
        /// Valid credentials or signatures came with them; otherwise anybody may have sent them.
        proven: bool,
    },
    /// POSTs are accepted again.
    RefusalsOver,
    /// A run was sent and no event of it has come.
    NoEvents {
        /// The run's name.
        run: Label,
        /// How many mails SendGrid has accepted.
        accepted: u64,
        /// How long ago the first one was.
        since: Duration,
    },
    /// A destination of notices refuses them.
    NoticesRefused {
        /// Which, as in the metric.
        channel: &'static str,
        /// Why.
        why: Label,
    },
    /// Something will stop the receiving, or spoils it.
    Concern(Concern),
    /// It does not any more.
    ConcernOver(ConcernKind),
}

impl Notice {
    /// Where the page shows what it is about.
    pub(super) fn view(&self) -> Option<&View> {
        match self {
            Self::RunSettled(summary)
            | Self::RunTimedOut { summary, .. }
            | Self::RunInterim { summary, .. }
            | Self::RunQuiet { summary, .. } => Some(&summary.view),
            Self::Alert(group) => Some(&group.view),
            Self::Ops(_) | Self::Test => None,
        }
    }

    /// Who is to be told; [`Notice::Test`] goes to both.
    #[must_use]
    pub fn destination(&self) -> Destination {
        match self {
            Self::RunSettled(_) | Self::RunInterim { .. } | Self::RunQuiet { .. } | Self::Test => Destination::Business,
            Self::Alert(group) => group.to,
            Self::RunTimedOut { .. } | Self::Ops(_) => Destination::Ops,
        }
    }

    /// The name of its kind, in JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunSettled(_) => "run.settled",
            Self::RunTimedOut { .. } => "run.timed_out",
            Self::RunInterim { .. } => "run.interim",
            Self::RunQuiet { .. } => "run.quiet",
            Self::Alert(_) => "alert",
            Self::Ops(Ops::Silence { .. }) => "silence",
            Self::Ops(Ops::SilenceOver { .. }) => "silence.over",
            Self::Ops(Ops::Refusals { .. }) => "refusals",
            Self::Ops(Ops::RefusalsOver) => "refusals.over",
            Self::Ops(Ops::NoEvents { .. }) => "run.no_events",
            Self::Ops(Ops::NoticesRefused { .. }) => "notices.refused",
            Self::Ops(Ops::Concern(concern)) => concern.kind().as_str(),
            Self::Ops(Ops::ConcernOver(ConcernKind::Clock)) => "clock.over",
            Self::Ops(Ops::ConcernOver(ConcernKind::Certificate)) => "certificate.over",
            Self::Ops(Ops::ConcernOver(ConcernKind::Backlog)) => "backlog.over",
            Self::Ops(Ops::ConcernOver(ConcernKind::Disk)) => "disk.over",
            Self::Ops(Ops::ConcernOver(ConcernKind::Relay)) => "relay.over",
            Self::Ops(Ops::ConcernOver(ConcernKind::Files)) => "files.over",
            Self::Test => "test",
        }
    }
}

/// The most frequent first, at most `most`; equal ones in the order of their texts.
#[must_use]
pub fn top(counts: &BTreeMap<Label, u64>, most: usize) -> Vec<Counted> {
    let mut sorted: Vec<Counted> = counts.iter().map(|(label, count)| (label.clone(), *count)).collect();
    sorted.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
    sorted.truncate(most);
    sorted
}
