//! How a send stands, in figures.

use std::collections::{BTreeMap, HashSet};

use super::expected::{Expected, Person};
use super::reason::drop_of;
use super::tracker::Tracker;
use crate::protect::EmailHash;
use crate::run::RequestId;
use crate::settle::Status;
use crate::store::ledger::Sent;

/// How a send stands. Counts are of recipients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Who was to get it: accepted, uncertain, or on the list.
    pub recipients: u64,
    counts: BTreeMap<Status, u64>,
    /// Accepted by SendGrid, for all that is known: of the ledger's uncertain ones those that an event of SendGrid's confirms.
    pub accepted: u64,
    /// Those of `accepted` that only an event confirms.
    pub confirmed: u64,
    /// Whether they were accepted is not known.
    pub uncertain: u64,
    /// Those of `accepted` of whom there is any event.
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
    /// SendGrid's classification or the status code of mail that did not arrive, counted.
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
        let rest = expected.each(tracker, |person| report.add(&person, proven));
        report.recipients += rest;
        report.accepted += rest;
        *report.counts.entry(Status::Unknown).or_default() += rest;
        report
    }

    fn add(&mut self, person: &Person<'_>, proven: &HashSet<RequestId>) {
        self.recipients += 1;
        let status = person.known.map_or(Status::Unknown, |known| known.status);
        *self.counts.entry(status).or_default() += 1;
        let certain = matches!(person.sent, None | Some(Sent::Accepted));
        // SendGrid answers a request as a whole, so one recipient's event speaks for all of it.
        let of_request = || person.request.is_some_and(|request| proven.contains(&request));
        let confirmed = !certain && (person.known.is_some_and(|known| known.proven) || of_request());
        self.confirmed += u64::from(confirmed);
        if certain || confirmed {
            self.accepted += 1;
            self.seen += u64::from(person.known.is_some());
        } else {
            self.uncertain += 1;
        }
        let Some(known) = person.known else { return };
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

    /// Recipients with at least one event ÷ accepted ones; 1 where nobody was accepted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio, for people")]
    pub fn completeness(&self) -> f64 {
        if self.accepted == 0 { 1.0 } else { self.seen as f64 / self.accepted as f64 }
    }

    /// Whether everybody is settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled() == self.recipients
    }

    /// Whether there is an event of everybody.
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
        let unknown = expected.each(tracker, |person| details.add(&person, domain));
        if unknown > 0 {
            *details.outstanding.entry(None).or_default() += unknown;
        }
        details
    }

    fn add(&mut self, person: &Person<'_>, domain: &dyn Fn(&EmailHash) -> Option<String>) {
        let status = person.known.map_or(Status::Unknown, |known| known.status);
        if !status.is_settled() {
            let domain = match person.known {
                Some(known) => known.domain.as_deref().map(str::to_owned),
                None => domain(&person.hash),
            };
            *self.outstanding.entry(domain).or_default() += 1;
        }
        let Some(known) = person.known.filter(|_| status.is_unreached()) else { return };
        // SendGrid says of a drop why, in few and always the same words; its status code says nothing.
        let drop = drop_of(known.reason.as_deref()).filter(|_| status == Status::Dropped);
        let why = match drop {
            Some((words, _, _)) => words,
            None => known.classification.as_deref().or(known.status_code.as_deref()).unwrap_or("no reason given"),
        };
        *self.reasons.entry(why.to_owned()).or_default() += 1;
        if let Some(reason) = &known.reason {
            *self.raw_reasons.entry(reason.to_string()).or_default() += 1;
        }
    }
}
