//! What events tell of everybody: read once, then only what is new.
//!
//! Where a store knows an order, whoever has read up to a mark misses nothing behind it: a recipient that a new event touches is
//! read again as a whole, by the rule that reads everybody. Where it knows none, everybody is read again once something is new.

use std::collections::HashMap;

use crate::protect::EmailHash;
use crate::settle::Status;
use crate::store::outcomes::Outcomes;
use crate::store::query::{Mailed, RecipientOutcome};
use crate::store::questions::AskError;

/// What events tell of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub hash: EmailHash,
    /// The address's domain, where it is kept.
    pub domain: Option<Box<str>>,
    /// Whether an event came from SendGrid for certain.
    pub proven: bool,
    /// Whether there is more than SendGrid's word that it did not send.
    pub mailed: bool,
    /// What became of the newest message.
    pub status: Status,
    /// Why, for deferred mail and mail that did not arrive.
    pub reason: Option<Box<str>>,
    /// SendGrid's `bounce_classification`.
    pub classification: Option<Box<str>>,
    /// The mail server's status, such as `5.1.1`.
    pub status_code: Option<Box<str>>,
    /// The message's first event, µs since the epoch.
    pub first_seen: i64,
    /// Its last one.
    pub last_seen: i64,
}

impl Known {
    fn of(outcome: RecipientOutcome) -> Option<Self> {
        let boxed = |text: Option<String>| text.map(String::into_boxed_str);
        let status = outcome.status;
        Some(Self {
            hash: EmailHash::parse(&status.email_hash)?,
            domain: boxed(outcome.domain),
            proven: outcome.proven,
            mailed: outcome.mailed,
            status: status.status,
            reason: boxed(status.reason),
            classification: boxed(status.classification),
            status_code: boxed(status.status_code),
            first_seen: status.first_seen,
            last_seen: status.last_seen,
        })
    }
}

/// Everybody of whom there are events.
#[derive(Debug, Clone)]
pub struct Tracker {
    mailed: Mailed,
    last: Option<i64>,
    people: HashMap<i64, Known>,
}

impl Tracker {
    /// Nobody is read yet.
    #[must_use]
    pub fn new(mailed: Mailed) -> Self {
        Self { mailed, last: None, people: HashMap::new() }
    }

    /// Which mail.
    #[must_use]
    pub fn mailed(&self) -> &Mailed {
        &self.mailed
    }

    /// Begins anew with events from another time on.
    pub fn since(&mut self, since: Option<i64>) {
        if self.mailed.since != since {
            self.mailed.since = since;
            self.last = None;
        }
    }

    /// Up to which mark everything is read.
    #[must_use]
    pub fn mark(&self) -> Option<i64> {
        self.last
    }

    /// Reads what is new; whether there was anything about this mail.
    ///
    /// # Errors
    /// When the events cannot be read; then nothing is taken over.
    pub fn read(&mut self, events: &dyn Outcomes) -> Result<bool, AskError> {
        // Before the reading: what comes in meanwhile is read again, which changes nothing.
        let until = events.mark(&self.mailed)?;
        if self.last == Some(until) {
            return Ok(false);
        }
        let renewed = match self.last.filter(|last| *last < until) {
            Some(last) => events.renewed(&self.mailed, (last, until), &|one| self.people.contains_key(&one))?,
            // For the first time, or the trail is another one.
            None => None,
        };
        let changed = match renewed {
            Some(renewed) => {
                for address in &renewed.touched {
                    self.people.remove(address);
                }
                self.take(renewed.outcomes);
                !renewed.touched.is_empty()
            }
            None => {
                let outcomes = events.outcomes(&self.mailed)?;
                let before = std::mem::take(&mut self.people);
                self.take(outcomes);
                self.last.is_none() || self.people != before
            }
        };
        self.last = Some(until);
        Ok(changed)
    }

    fn take(&mut self, outcomes: Vec<RecipientOutcome>) {
        self.people.extend(outcomes.into_iter().filter_map(|one| Some((one.address, Known::of(one)?))));
    }

    /// Everybody of whom there are events, in no order.
    pub fn people(&self) -> impl Iterator<Item = &Known> {
        self.people.values()
    }
}

#[cfg(test)]
mod tests;
