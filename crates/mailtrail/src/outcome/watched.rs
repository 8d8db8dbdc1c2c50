//! A send under watch: the ledger or a list says who was to get it, events what became of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::expected::{Expected, Person};
use super::report::{Details, Report};
use super::selector::{OutcomeError, Selector, Unanswerable};
use super::tracker::Tracker;
use crate::protect::EmailHash;
use crate::run::{RequestId, RunName};
use crate::store::ledger::{Ledger, RunRecord, Sent};
use crate::store::outcomes::Outcomes;
use crate::store::query::{Mailed, Scope};
use crate::store::sends::{Backlog, Pace, Sends};

/// A run's events may carry times before its first claim: clocks differ. µs.
const BEFORE_CLAIM: i64 = 5 * 60 * 1_000_000;

/// A send under watch.
pub struct Watched {
    sends: Arc<dyn Sends>,
    selector: Selector,
    events: Option<Box<dyn Outcomes>>,
    ledger: Option<Box<dyn Ledger>>,
    /// How far the ledger is read.
    place: Option<i64>,
    record: Option<RunRecord>,
    first_accepted: Option<i64>,
    expected: Expected,
    tracker: Tracker,
    /// Requests that an event of SendGrid's confirms, and up to which event they were looked for.
    proven: HashSet<RequestId>,
    proven_to: Option<i64>,
    report: Report,
    backlog: Backlog,
}

impl Watched {
    /// Reads how it stands. A store without a trail yet is an empty one.
    ///
    /// # Errors
    /// When there is no such run, nobody knows who was to get it, or the store cannot be read.
    pub fn begin(sends: &dyn Sends, selector: Selector) -> Result<Self, OutcomeError> {
        let backlog = sends.backlog()?;
        let mailed = Mailed { scope: selector.scope.clone(), since: selector.since, until: None, unproven: false };
        let mut watched = Self {
            sends: sends.share(),
            selector,
            events: sends.events()?,
            ledger: None,
            place: None,
            record: None,
            first_accepted: None,
            expected: Expected::default(),
            tracker: Tracker::new(mailed),
            proven: HashSet::new(),
            proven_to: None,
            report: Report::default(),
            backlog,
        };
        watched.read_ledger()?;
        watched.judge()?;
        if watched.record.as_ref().is_none_or(|record| record.sandbox)
            && let Some(expected) = Expected::of_selector(&watched.selector)
        {
            watched.expected = expected;
        }
        watched.read_events()?;
        watched.count()?;
        Ok(watched)
    }

    /// Whether the question can be answered.
    fn judge(&self) -> Result<(), OutcomeError> {
        let name = || self.selector.name().to_owned();
        if let Scope::Run(run) = &self.selector.scope {
            let has_events = || self.events.as_ref().map_or(Ok(false), |events| events.knows_run(run));
            match &self.record {
                Some(record) if record.sandbox && !has_events()? => return Err(Unanswerable::Sandbox(name()).into()),
                Some(record) if !record.sandbox => return Ok(()),
                Some(_) => {}
                None if !has_events()? => return Err(OutcomeError::UnknownRun(name())),
                None => {}
            }
        }
        if self.selector.list.is_none() && self.selector.expect.is_none() {
            return Err(Unanswerable::NoRecipients(name()).into());
        }
        Ok(())
    }

    /// Reads what is new; whether anything changed.
    ///
    /// # Errors
    /// When the store cannot be read; the next call tries again.
    pub fn poll(&mut self) -> Result<bool, OutcomeError> {
        let asked = self.read_ledger()?;
        let mark = self.tracker.mark();
        let read = self.read_events();
        if read.is_err() {
            // Opened again: the file may be another one.
            self.events = None;
        }
        let changed = read? || asked;
        // Events that nothing vouches for change nothing, but are counted.
        if changed || self.tracker.mark() != mark {
            self.count()?;
        }
        Ok(changed)
    }

    fn read_ledger(&mut self) -> Result<bool, OutcomeError> {
        let Scope::Run(run) = &self.selector.scope else { return Ok(false) };
        if self.ledger.is_none() {
            self.ledger = self.sends.ledger()?;
        }
        let Some(ledger) = &self.ledger else { return Ok(false) };
        let place = ledger.place(run)?;
        if self.place == Some(place) {
            return Ok(false);
        }
        let found = ledger.run(run)?;
        if let Some(found) = found.as_ref().filter(|found| !found.record.sandbox) {
            let accepted = found.recipients.iter().filter(|one| one.sent == Sent::Accepted);
            self.first_accepted = accepted.map(|one| one.at).min();
            self.expected = Expected::of_ledger(&found.recipients);
            self.tracker.since(Some(found.record.begun_at - BEFORE_CLAIM));
        }
        self.record = found.map(|found| found.record);
        self.place = Some(place);
        Ok(true)
    }

    fn read_events(&mut self) -> Result<bool, OutcomeError> {
        if self.events.is_none() {
            self.events = self.sends.events()?;
        }
        let Some(events) = self.events.as_deref() else { return Ok(false) };
        let changed = self.tracker.read(events)?;
        if self.expected.has_uncertain() && self.proven_to != self.tracker.mark() {
            let between = self.proven_to.zip(self.tracker.mark()).filter(|(after, until)| after < until);
            let found = events.proven_requests(self.tracker.mailed(), between)?;
            self.proven.extend(found.iter().filter_map(|request| RequestId::parse(request)));
            self.proven_to = self.tracker.mark();
        }
        Ok(changed)
    }

    fn count(&mut self) -> Result<(), OutcomeError> {
        self.report = Report::of(&self.expected, &self.tracker, &self.proven);
        if let Some(events) = &self.events {
            self.report.left_out = events.unproven(self.tracker.mailed())?;
        }
        Ok(())
    }

    /// How it stood at the last reading.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Why mail did not arrive, and whose is outstanding. `domain`: of those without events, where the caller knows.
    #[must_use]
    pub fn details(&self, domain: &dyn Fn(&EmailHash) -> Option<String>) -> Details {
        Details::of(&self.expected, &self.tracker, domain)
    }

    /// What is asked about.
    #[must_use]
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The run in the ledger.
    #[must_use]
    pub fn record(&self) -> Option<&RunRecord> {
        self.record.as_ref()
    }

    /// When SendGrid first accepted mail of the run, µs since the epoch.
    #[must_use]
    pub fn first_accepted(&self) -> Option<i64> {
        self.first_accepted
    }

    /// Calls with each recipient; says how many more there are to be of whom nobody knows who.
    pub(super) fn each<'s>(&'s self, call: impl FnMut(Person<'s>)) -> u64 {
        self.expected.each(&self.tracker, call)
    }

    /// Whether what is known is enough for a verdict: what had come in at the beginning is read, and nobody is sending the run.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn is_up_to_date(&mut self) -> Result<bool, OutcomeError> {
        Ok(self.sends.is_past(&mut self.backlog)? && self.sender()?.is_none())
    }

    /// Who is sending the run, for people; nobody sends a category.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn sender(&self) -> Result<Option<String>, OutcomeError> {
        match RunName::new(self.selector.name()) {
            Ok(run) if matches!(self.selector.scope, Scope::Run(_)) => Ok(self.sends.sender(&run)?),
            _ => Ok(None),
        }
    }

    /// How many events are received but not in the trail.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn behind(&self) -> Result<i64, OutcomeError> {
        Ok(self.sends.behind()?)
    }

    /// How often it is worth while to look.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.sends.pace()
    }
}
