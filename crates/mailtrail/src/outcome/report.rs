//! How a send stands, in figures.

use std::collections::{BTreeMap, HashSet};

use super::expected::Expected;
use super::reason::drop_of;
use super::recipient::{Acceptance, Recipient};
use super::tracker::Tracker;
use crate::protect::EmailHash;
use crate::run::RequestId;
use crate::settle::Status;

const NO_REASON: &str = "no reason given";

/// How a send stands. Counts are of recipients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Who was to get it: everybody that the ledger knows of a run, else the list. Each has one status, so that these are those who
    /// were reached, those who were not, and those who are not settled.
    pub recipients: u64,
    counts: BTreeMap<Status, u64>,
    /// Accepted by SendGrid, for all that is known: of the ledger's uncertain ones those that an event of SendGrid's confirms.
    pub accepted: u64,
    /// Those of `accepted` that only an event confirms.
    pub confirmed: u64,
    /// Whether they were accepted is not known.
    pub uncertain: u64,
    /// Who is not settled because the request was never made: nothing comes until somebody sends again.
    pub unsent: u64,
    /// Of whom there is any event.
    pub seen: u64,
    /// Events left out because nothing vouches for them, although a public key was configured when they came in.
    pub left_out: u64,
    /// Of the mail that is deferred, when the oldest was first seen, µs since the epoch.
    pub oldest_deferral: Option<i64>,
    /// The last event, µs since the epoch.
    pub last_event: Option<i64>,
    /// When the newest mail was first seen, µs since the epoch.
    pub newest_mail: Option<i64>,
}

/// Why mail did not arrive, and whose is outstanding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// SendGrid's classification or the status code of mail that did not arrive, and its reasons for refusing recipients; counted.
    pub reasons: BTreeMap<String, u64>,
    /// What mail servers wrote.
    pub raw_reasons: BTreeMap<String, u64>,
    /// Domains of recipients who are not settled; `None`: not known.
    pub outstanding: BTreeMap<Option<String>, u64>,
}

impl Report {
    /// `proven`: requests that an event of SendGrid's confirms.
    pub(super) fn of(expected: &Expected, tracker: &Tracker, proven: &HashSet<RequestId>) -> Self {
        let mut report = Self::default();
        let rest = expected.each(tracker, |recipient| report.add(&recipient, proven));
        report.recipients += rest;
        report.accepted += rest;
        *report.counts.entry(Status::Unknown).or_default() += rest;
        report
    }

    fn add(&mut self, recipient: &Recipient<'_>, proven: &HashSet<RequestId>) {
        self.recipients += 1;
        let status = recipient.status();
        *self.counts.entry(status).or_default() += 1;
        self.unsent += u64::from(recipient.is_unsent());
        match recipient.acceptance(|request| proven.contains(&request)) {
            Acceptance::Accepted => self.accepted += 1,
            Acceptance::Confirmed => (self.accepted, self.confirmed) = (self.accepted + 1, self.confirmed + 1),
            Acceptance::Uncertain => self.uncertain += 1,
            Acceptance::Refused | Acceptance::Unsent => {}
        }
        let Some(known) = recipient.known else { return };
        self.seen += 1;
        self.last_event = self.last_event.max(Some(known.last_seen));
        self.newest_mail = self.newest_mail.max(Some(known.first_seen));
        if status == Status::Deferred {
            let oldest = self.oldest_deferral.unwrap_or(i64::MAX);
            self.oldest_deferral = Some(oldest.min(known.first_seen));
        }
    }

    /// How many recipients have a status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.counts.get(&status).copied().unwrap_or_default()
    }

    /// All statuses, worst news last.
    pub fn counts(&self) -> impl Iterator<Item = (Status, u64)> + '_ {
        Status::ALL.into_iter().map(|status| (status, self.count(status)))
    }

    fn sum(&self, of: impl Fn(Status) -> bool) -> u64 {
        self.counts().filter(|(status, _)| of(*status)).map(|(_, count)| count).sum()
    }

    /// For whom nothing more is to be waited for.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.sum(Status::is_settled)
    }

    /// Whom the mail did not reach, for good.
    #[must_use]
    pub fn unreached(&self) -> u64 {
        self.sum(Status::is_unreached)
    }

    /// Who is not settled.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.recipients - self.settled()
    }

    /// Recipients with at least one event ÷ all; `None` where there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio, for people")]
    pub fn completeness(&self) -> Option<f64> {
        (self.recipients > 0).then(|| self.seen as f64 / self.recipients as f64)
    }

    /// Whether everybody is settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled() == self.recipients
    }

    /// Whether everybody was seen or refused.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.count(Status::Unknown) == 0
    }

    /// Whether all who are left are deferred.
    #[must_use]
    pub fn is_only_deferred(&self) -> bool {
        self.count(Status::Deferred) > 0 && self.settled() + self.count(Status::Deferred) == self.recipients
    }
}

impl Details {
    /// `domain`: of who has no events.
    pub(super) fn of(expected: &Expected, tracker: &Tracker, domain: &dyn Fn(&EmailHash) -> Option<String>) -> Self {
        let mut details = Self::default();
        let unknown = expected.each(tracker, |recipient| details.add(&recipient, domain));
        if unknown > 0 {
            *details.outstanding.entry(None).or_default() += unknown;
        }
        details
    }

    fn add(&mut self, recipient: &Recipient<'_>, domain: &dyn Fn(&EmailHash) -> Option<String>) {
        let status = recipient.status();
        if !status.is_settled() {
            let domain = match recipient.known {
                Some(known) => known.domain.as_deref().map(str::to_owned),
                None => domain(&recipient.hash),
            };
            *self.outstanding.entry(domain).or_default() += 1;
        }
        if status == Status::Refused {
            let why = recipient.refusal().and_then(|refusal| refusal.why.clone());
            let why = why.or_else(|| recipient.classification()).unwrap_or_else(|| NO_REASON.to_owned());
            *self.reasons.entry(why).or_default() += 1;
        }
        let Some(known) = recipient.known.filter(|_| status.is_unreached()) else { return };
        // SendGrid says of a drop why, in few and always the same words; its status code says nothing.
        let drop = drop_of(known.reason.as_deref()).filter(|_| status == Status::Dropped);
        let why = match drop {
            Some((words, _, _)) => words,
            None => known.classification.as_deref().or(known.status_code.as_deref()).unwrap_or(NO_REASON),
        };
        *self.reasons.entry(why.to_owned()).or_default() += 1;
        if let Some(reason) = &known.reason {
            *self.raw_reasons.entry(reason.to_string()).or_default() += 1;
        }
    }
}
