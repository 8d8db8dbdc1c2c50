//! A send under watch: the ledger or a list says who was to get it, the trail what became of them.

use std::collections::HashSet;

use super::backlog::{Backlog, behind};
use super::expected::{Expected, Person};
use super::report::{Details, Report};
use super::selector::{OutcomeError, Selector, Unanswerable};
use super::tracker::Tracker;
use crate::protect::EmailHash;
use crate::run::{RequestId, RunName};
use crate::store::Paths;
use crate::store::ledger::{LedgerReader, RunRecord, Sent};
use crate::store::lock;
use crate::store::query::{Mailed, Scope};
use crate::store::sqlite::{ReadError, Reader};

/// A run's events may carry times before its first claim: clocks differ. µs.
const BEFORE_CLAIM: i64 = 5 * 60 * 1_000_000;

/// A send under watch.
pub struct Watched {
    paths: Paths,
    selector: Selector,
    reader: Option<Reader>,
    ledger: Option<LedgerReader>,
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
    pub fn begin(paths: &Paths, selector: Selector) -> Result<Self, OutcomeError> {
        let backlog = Backlog::now(paths)?;
        let mailed = Mailed { scope: selector.scope.clone(), since: selector.since, until: None, unproven: false };
        let mut watched = Self {
            paths: paths.clone(),
            selector,
            reader: None,
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
        match Reader::open(paths) {
            Ok(reader) => watched.reader = Some(reader),
            Err(ReadError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        watched.read_ledger()?;
        watched.judge()?;
        if watched.record.as_ref().is_none_or(|record| record.sandbox)
            && let Some(expected) = Expected::of_selector(&watched.selector)
        {
            watched.expected = expected;
        }
        watched.read_trail()?;
        watched.count()?;
        Ok(watched)
    }

    /// Whether the question can be answered.
    fn judge(&self) -> Result<(), OutcomeError> {
        let name = || self.selector.name().to_owned();
        if let Scope::Run(run) = &self.selector.scope {
            let has_events = || self.reader.as_ref().map_or(Ok(false), |reader| reader.knows_run(run));
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
        let read = self.read_trail();
        if read.is_err() {
            // Opened again: the file may be another one.
            self.reader = None;
        }
        let changed = read? || asked;
        if changed {
            self.count()?;
        }
        Ok(changed)
    }

    fn read_ledger(&mut self) -> Result<bool, OutcomeError> {
        let Scope::Run(run) = &self.selector.scope else { return Ok(false) };
        if self.ledger.is_none() {
            self.ledger = LedgerReader::open(&self.paths)?;
        }
        let Some(ledger) = &self.ledger else { return Ok(false) };
        let place = ledger.place()?;
        if self.place == Some(place) {
            return Ok(false);
        }
        let record = ledger.run(run)?;
        if let Some(record) = record.as_ref().filter(|record| !record.sandbox) {
            let asked = ledger.recipients(run)?;
            let accepted = asked.iter().filter(|one| one.sent == Sent::Accepted);
            self.first_accepted = accepted.map(|one| one.at).min();
            self.expected = Expected::of_ledger(&asked);
            self.tracker.since(Some(record.begun_at - BEFORE_CLAIM));
        }
        self.record = record;
        self.place = Some(place);
        Ok(true)
    }

    fn read_trail(&mut self) -> Result<bool, OutcomeError> {
        if self.reader.is_none() {
            match Reader::open(&self.paths) {
                Ok(reader) => self.reader = Some(reader),
                Err(ReadError::Missing { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(reader) = &self.reader else { return Ok(false) };
        let changed = self.tracker.read(reader)?;
        if self.expected.has_uncertain()
            && let Scope::Run(run) = &self.selector.scope
        {
            let until = reader.last_id()?;
            let within = self.proven_to.filter(|after| *after <= until).map(|after| (after, until));
            if within.is_none_or(|(after, until)| after < until) {
                let found = reader.proven_requests(run, within)?;
                self.proven.extend(found.iter().filter_map(|request| RequestId::parse(request)));
                self.proven_to = Some(until);
            }
        }
        Ok(changed)
    }

    fn count(&mut self) -> Result<(), OutcomeError> {
        self.report = Report::of(&self.expected, &self.tracker, &self.proven);
        if let Some(reader) = &self.reader {
            self.report.left_out = reader.unproven(self.tracker.mailed())?;
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

    /// Whether what is known is enough for a verdict: what had come in at the beginning is in the trail, and nobody is sending
    /// the run.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn is_up_to_date(&mut self) -> Result<bool, OutcomeError> {
        if !self.backlog.is_past(&self.paths)? {
            return Ok(false);
        }
        match RunName::new(self.selector.name()) {
            Ok(run) if matches!(self.selector.scope, Scope::Run(_)) => Ok(!lock::is_held(&self.paths.run_lock(&run))?),
            _ => Ok(true),
        }
    }

    /// How many events are received but not in the trail.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn behind(&self) -> Result<i64, OutcomeError> {
        behind(&self.paths)
    }
}
