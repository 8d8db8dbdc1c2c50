//! The runs there are, and how each stands.

use std::collections::HashSet;

use super::report::Report;
use super::selector::{OutcomeError, Selector};
use super::watched::Watched;
use crate::store::Paths;
use crate::store::ledger::{LedgerReader, RunRecord, Sent};
use crate::store::sqlite::{ReadError, Reader};

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

/// A run's name, and when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The first claim, µs since the epoch; `None` of a run that another tool sent.
    pub begun_at: Option<i64>,
}

impl Run {
    /// A run under watch, as it stood at the last reading.
    #[must_use]
    pub fn of(watched: &Watched) -> Self {
        let name = watched.selector().name().to_owned();
        Self { name, record: watched.record().cloned(), report: watched.report().clone() }
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
pub fn run_names(paths: &Paths) -> Result<Vec<Named>, OutcomeError> {
    let mut found: Vec<Named> = match LedgerReader::open(paths)? {
        Some(ledger) => {
            let begun = |(name, at)| Named { name, begun_at: Some(at) };
            ledger.run_names()?.into_iter().map(begun).collect()
        }
        None => Vec::new(),
    };
    match Reader::open(paths) {
        Ok(reader) => {
            let known: HashSet<String> = found.iter().map(|run| run.name.clone()).collect();
            let others = reader.run_names()?.into_iter().filter(|name| !known.contains(name));
            found.extend(others.map(|name| Named { name, begun_at: None }));
        }
        Err(ReadError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(found)
}

/// The runs, in the order of [`run_names`]; at most so many, and how many there are.
///
/// # Errors
/// When the store cannot be read.
pub fn runs(paths: &Paths, most: usize) -> Result<(Vec<Run>, usize), OutcomeError> {
    let names = run_names(paths)?;
    let runs = names.iter().take(most).map(|named| run(paths, &named.name)).collect::<Result<_, _>>()?;
    Ok((runs, names.len()))
}

/// Begins to watch a run for who only looks: without a ledger, nobody counts beyond those who were seen.
///
/// # Errors
/// When there is no such run, it went to the sandbox alone, or the store cannot be read.
pub fn watch(paths: &Paths, name: &str) -> Result<Watched, OutcomeError> {
    Watched::begin(paths, Selector { expect: Some(0), ..Selector::of_run(name) })
}

/// One run.
///
/// # Errors
/// When there is no such run, or the store cannot be read.
pub fn run(paths: &Paths, name: &str) -> Result<Run, OutcomeError> {
    match watch(paths, name) {
        Ok(watched) => Ok(Run::of(&watched)),
        Err(OutcomeError::Usage(super::selector::Unanswerable::Sandbox(_))) => {
            let record = LedgerReader::open(paths)?.map(|ledger| ledger.run(name)).transpose()?.flatten();
            Ok(Run { name: name.to_owned(), record, report: Report::default() })
        }
        Err(error) => Err(error),
    }
}
