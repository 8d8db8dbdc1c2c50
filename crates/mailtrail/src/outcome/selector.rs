//! Which mail is asked about, and why there may be no answer.

use crate::protect::EmailHash;
use crate::store::ledger::LedgerError;
use crate::store::query::Scope;
use crate::store::questions::AskError;
use crate::store::sends::SendsError;

/// Which mail, and who was to get it.
#[derive(Debug, Clone)]
pub struct Selector {
    /// A run, or a category.
    pub scope: Scope,
    /// Event time, µs since the epoch: not before. Of a run the ledger knows better.
    pub since: Option<i64>,
    /// Who was to get it, each with the hashes under all keys, the current one's first. A run's ledger comes before it.
    pub list: Option<Vec<Vec<EmailHash>>>,
    /// How many were to get it, where nobody knows who.
    pub expect: Option<u64>,
}

impl Selector {
    /// A run's recipients as the ledger has them.
    #[must_use]
    pub fn of_run(run: &str) -> Self {
        Self { scope: Scope::Run(run.to_owned()), since: None, list: None, expect: None }
    }

    /// The run's name, or the category's.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.scope {
            Scope::Run(name) | Scope::Category(name) => name,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutcomeError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] SendsError),
    /// Neither the ledger nor an event names it.
    #[error(
        "there is no run {0:?}: nothing was sent under this name, and no event names it. `mailtrail runs` lists those there are"
    )]
    UnknownRun(String),
    /// The caller's to mend.
    #[error(transparent)]
    Usage(#[from] Unanswerable),
}

impl OutcomeError {
    /// Whether BigQuery may answer when asked again later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Store(error) if error.may_pass())
    }
}

impl From<AskError> for OutcomeError {
    fn from(error: AskError) -> Self {
        Self::Store(error.into())
    }
}

impl From<LedgerError> for OutcomeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

/// A question that cannot be answered as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// Nobody was mailed.
    #[error(
        "run {0:?} went to SendGrid's sandbox alone: nobody was mailed, so no events come and there is nothing to ask about. Send it without --sandbox first"
    )]
    Sandbox(String),
    /// Nobody knows who was to get it.
    #[error(
        "who was to get {0:?} is not on record: it was not sent from here. Say who by --list FILE, or how many by --expect N"
    )]
    NoRecipients(String),
}
