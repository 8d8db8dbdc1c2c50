//! A send under watch: the ledger or a list says who was to get it, events what became of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::expected::Wanted;
use super::recipient::Recipient;
use super::report::{Details, Report};
use super::selector::{OutcomeError, Selector, Unanswerable};
use super::tracker::Tracker;
use crate::protect::EmailHash;
use crate::run::{RequestId, RunName};
use crate::store::ledger::{Ledger, RunRecord};
use crate::store::outcomes::Outcomes;
use crate::store::query::{Mailed, Scope};
use crate::store::sends::{Backlog, Pace, Sends};

/// A send under watch.
pub struct Watched {
    sends: Arc<dyn Sends>,
    selector: Selector,
    events: Option<Box<dyn Outcomes>>,
    ledger: Option<Box<dyn Ledger>>,
    /// How far the ledger is read.
    place: Option<i64>,
    wanted: Wanted,
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
            wanted: Wanted::default(),
            tracker: Tracker::new(mailed),
            proven: HashSet::new(),
            proven_to: None,
            report: Report::default(),
            backlog,
        };
        watched.read_ledger()?;
        watched.judge()?;
        watched.read_events()?;
        watched.count()?;
        Ok(watched)
    }

    /// Whether the question can be answered.
    fn judge(&self) -> Result<(), OutcomeError> {
        let name = || self.selector.name().to_owned();
        if let Scope::Run(run) = &self.selector.scope {
            let has_events = || self.events.as_ref().map_or(Ok(false), |events| events.knows_run(run));
            match &self.wanted.record {
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
        if self.ledger.is_none() {
            self.ledger = self.sends.ledger()?;
        }
        let since = self.selector.since.unwrap_or(i64::MIN);
        let place = match &self.ledger {
            Some(ledger) => ledger.place(&self.selector.scope, since)?,
            // Nothing was ever sent from here.
            None => i64::MIN,
        };
        if self.place == Some(place) {
            return Ok(false);
        }
        let wanted = Wanted::read(self.ledger.as_deref(), &self.selector)?;
        self.tracker.since(wanted.since);
        self.wanted = wanted;
        self.place = Some(place);
        Ok(true)
    }

    fn read_events(&mut self) -> Result<bool, OutcomeError> {
        if self.events.is_none() {
            self.events = self.sends.events()?;
        }
        let Some(events) = self.events.as_deref() else { return Ok(false) };
        let changed = self.tracker.read(events)?;
        if self.wanted.expected.has_uncertain() && self.proven_to != self.tracker.mark() {
            let between = self.proven_to.zip(self.tracker.mark()).filter(|(after, until)| after < until);
            let found = events.proven_requests(self.tracker.mailed(), between)?;
            self.proven.extend(found.iter().filter_map(|request| RequestId::parse(request)));
            self.proven_to = self.tracker.mark();
        }
        Ok(changed)
    }

    fn count(&mut self) -> Result<(), OutcomeError> {
        self.report = Report::of(&self.wanted.expected, &self.tracker, &self.proven);
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
        Details::of(&self.wanted.expected, &self.tracker, domain)
    }

    /// What is asked about.
    #[must_use]
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The run in the ledger.
    #[must_use]
    pub fn record(&self) -> Option<&RunRecord> {
        self.wanted.record.as_ref()
    }

    /// When SendGrid first accepted mail of the run, µs since the epoch.
    #[must_use]
    pub fn first_accepted(&self) -> Option<i64> {
        self.wanted.first_accepted
    }

    /// How many recipients of the list were never asked for in this run: left out by its sender, or not on its list.
    #[must_use]
    pub fn not_asked(&self) -> u64 {
        self.wanted.expected.not_asked()
    }

    /// How far the send has come, µs since the epoch: its last step in the ledger, or of another tool's mail the newest.
    #[must_use]
    pub fn reached(&self) -> Option<i64> {
        self.wanted.expected.last_step().or(self.report.newest_mail)
    }

    /// Calls with each recipient; says how many more there are to be of whom nobody knows who.
    pub(super) fn each<'s>(&'s self, call: impl FnMut(Recipient<'s>)) -> u64 {
        self.wanted.expected.each(&self.tracker, call)
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
