//! The runs there are, and how each stands.

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

impl Run {
    /// How many recipients stand at a state in the ledger; `None` without one.
    #[must_use]
    pub fn count(&self, state: Sent) -> Option<u64> {
        self.record.as_ref().map(|record| record.count(state))
    }
}

/// The runs that the ledger or an event names, the newest of the ledger first; at most so many, and how many there are.
///
/// # Errors
/// When the store cannot be read.
pub fn runs(paths: &Paths, most: usize) -> Result<(Vec<Run>, usize), OutcomeError> {
    let mut names: Vec<String> = match LedgerReader::open(paths)? {
        Some(ledger) => ledger.runs()?.into_iter().map(|record| record.name).collect(),
        None => Vec::new(),
    };
    match Reader::open(paths) {
        Ok(reader) => {
            for name in reader.run_names()? {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Err(ReadError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let there = names.len();
    names.truncate(most);
    let runs = names.iter().map(|name| run(paths, name)).collect::<Result<_, _>>()?;
    Ok((runs, there))
}

/// One run.
///
/// # Errors
/// When there is no such run, or the store cannot be read.
pub fn run(paths: &Paths, name: &str) -> Result<Run, OutcomeError> {
    // Without a ledger: nobody beyond those who were seen.
    let selector = Selector { expect: Some(0), ..Selector::of_run(name) };
    match Watched::begin(paths, selector) {
        Ok(watched) => {
            let record = watched.record().cloned();
            Ok(Run { name: name.to_owned(), record, report: watched.report().clone() })
        }
        Err(OutcomeError::Usage(super::selector::Unanswerable::Sandbox(_))) => {
            let record = LedgerReader::open(paths)?.map(|ledger| ledger.run(name)).transpose()?.flatten();
            Ok(Run { name: name.to_owned(), record, report: Report::default() })
        }
        Err(error) => Err(error),
    }
}
