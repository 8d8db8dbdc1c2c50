//! The runs there are, and how each stands.

use std::collections::HashSet;
use std::panic::resume_unwind;

use super::report::Report;
use super::selector::{OutcomeError, Selector};
use super::watched::Watched;
use crate::store::ledger::{RunRecord, Sent};
use crate::store::sends::Sends;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// What the ledger says; `None` of a run that another tool sent.
    pub record: Option<RunRecord>,
    /// How it stands. Of a run without ledger: whoever was seen.
    pub report: Report,
}

impl Run {
    /// A run under watch, as it stood at the last reading.
    #[must_use]
    pub fn of(watched: &Watched) -> Self {
        let name = watched.selector().name().to_owned();
        Self { name, record: watched.record().cloned(), report: watched.report().clone() }
    }

    /// How many of the recipients have an event; `None` where nobody knows who they are, or there are none.
    #[must_use]
    pub fn completeness(&self) -> Option<f64> {
        self.record.as_ref().and_then(|_| self.report.completeness())
    }

    /// How many recipients stand at a state in the ledger; `None` without one.
    #[must_use]
    pub fn count(&self, state: Sent) -> Option<u64> {
        self.record.as_ref().map(|record| record.count(state))
    }
}

/// The names of the runs that the ledger or an event names, the newest of the ledger first. Quick, however large they are.
///
/// # Errors
/// When the store cannot be read.
pub fn run_names(sends: &dyn Sends) -> Result<Vec<String>, OutcomeError> {
    let mut names = match sends.ledger()? {
        Some(ledger) => ledger.run_names()?,
        None => Vec::new(),
    };
    if let Some(events) = sends.events()? {
        let known: HashSet<String> = names.iter().cloned().collect();
        names.extend(events.run_names()?.into_iter().filter(|name| !known.contains(name)));
    }
    Ok(names)
}

/// The runs, in the order of [`run_names`]; at most so many, and how many there are.
///
/// # Errors
/// When the store cannot be read.
pub fn runs(sends: &dyn Sends, most: usize) -> Result<(Vec<Run>, usize), OutcomeError> {
    let mut names = run_names(sends)?;
    let there = names.len();
    names.truncate(most);
    let mut runs = Vec::with_capacity(names.len());
    for some in names.chunks(sends.at_once().max(1)) {
        let found: Vec<Result<Run, OutcomeError>> = match some {
            [one] => vec![run(sends, one)],
            several => std::thread::scope(|scope| {
                let asked: Vec<_> = several.iter().map(|name| scope.spawn(move || run(sends, name))).collect();
                asked.into_iter().map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
            }),
        };
        for run in found {
            runs.push(run?);
        }
    }
    Ok((runs, there))
}

/// Begins to watch a run for who only looks: without a ledger, nobody counts beyond those who were seen.
///
/// # Errors
/// When there is no such run, it went to the sandbox alone, or the store cannot be read.
pub fn watch(sends: &dyn Sends, name: &str) -> Result<Watched, OutcomeError> {
    Watched::begin(sends, Selector { expect: Some(0), ..Selector::of_run(name) })
}

/// One run.
///
/// # Errors
/// When there is no such run, or the store cannot be read.
pub fn run(sends: &dyn Sends, name: &str) -> Result<Run, OutcomeError> {
    match watch(sends, name) {
        Ok(watched) => Ok(Run::of(&watched)),
        Err(OutcomeError::Usage(super::selector::Unanswerable::Sandbox(_))) => {
            let found = sends.ledger()?.map(|ledger| ledger.run(name)).transpose()?.flatten();
            Ok(Run { name: name.to_owned(), record: found.map(|found| found.record), report: Report::default() })
        }
        Err(error) => Err(error),
    }
}
