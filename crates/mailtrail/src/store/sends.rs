//! All that is on record of sends, whichever store keeps it: the ledger, what events tell, and whom people were told of.

mod backlog;
mod files;

use std::sync::Arc;
use std::time::Duration;

pub use backlog::{Backlog, waiting};

use super::keeper::StartError;
use super::keys::{Identity, Keys};
use super::ledger::{Claims, Ledger, LedgerError};
use super::lock::LockError;
use super::outcomes::Outcomes;
use super::places::PlacesError;
use super::questions::AskError;
use crate::database::OpenError;
use crate::run::RunName;

/// Why something is not known of a send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendsError {
    /// The events cannot be read.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The spool cannot be looked at.
    #[error(transparent)]
    Spool(#[from] OpenError),
    /// A lock file cannot be looked at.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The folder cannot be looked at.
    #[error("the store's folder cannot be read: {0}")]
    Folder(#[from] std::io::Error),
    /// What people were told cannot be read or saved.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// Events that had come in are not in the trail, and this process could not bring them there.
    #[error(transparent)]
    Start(#[from] StartError),
    /// `serve` runs and did not bring them there in time.
    #[error("the trail is behind by {0} events that were received before this question, and `mailtrail serve` did not bring them there within {limit} s; `mailtrail doctor` says why", limit = backlog::PATIENCE.as_secs())]
    Behind(i64),
}

impl SendsError {
    /// Whether BigQuery may answer when asked again later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Ask(error) => error.may_pass(),
            Self::Ledger(LedgerError::BigQuery(error)) => error.may_pass(),
            _ => false,
        }
    }
}

/// How often it is worth while to look for something new: at first and after news, and at most so far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// At first, and after something new.
    pub shortest: Duration,
    /// When nothing new has come for a while.
    pub longest: Duration,
}

/// A store of sends. Cheap to share.
pub trait Sends: Send + Sync {
    /// Another handle.
    fn share(&self) -> Arc<dyn Sends>;

    /// Takes a run for sending, and settles what an earlier sender left unfinished. `keys` are those whose hashes are claimed
    /// and looked up; `take_over`: also from a sender that never let go of it; `now` in µs since the epoch.
    ///
    /// # Errors
    /// When somebody else is sending the run, a key of earlier claims is missing, or the ledger cannot be written.
    fn take(&self, run: &RunName, keys: &Identity, take_over: bool, now: i64) -> Result<Box<dyn Claims>, LedgerError>;

    /// Notes that a run's requests were only validated.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    fn note_sandbox(&self, run: &RunName, now: i64) -> Result<(), LedgerError>;

    /// Notes that a new hash key was accepted: [`Ledger::hash_keys`] has it from then on.
    ///
    /// # Errors
    /// When that cannot be written.
    fn note_hash_key(&self, key_id: &str) -> Result<(), SendsError>;

    /// The ledger; `None` where nothing was ever sent.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    fn ledger(&self) -> Result<Option<Box<dyn Ledger>>, SendsError>;

    /// The events; `None` where none was ever received.
    ///
    /// # Errors
    /// When they are there but cannot be read.
    fn events(&self) -> Result<Option<Box<dyn Outcomes>>, SendsError>;

    /// Who sends a run right now, for people: `process 4711`.
    ///
    /// # Errors
    /// When that cannot be looked at.
    fn sender(&self, run: &RunName) -> Result<Option<String>, SendsError>;

    /// What has come in and is not among the events now.
    ///
    /// # Errors
    /// When that cannot be looked at.
    fn backlog(&self) -> Result<Backlog, SendsError>;

    /// Whether all of it is among the events by now; once it is, it is for good.
    ///
    /// # Errors
    /// As [`backlog`](Self::backlog).
    fn is_past(&self, backlog: &mut Backlog) -> Result<bool, SendsError>;

    /// How many events have come in and are not among those that are read.
    ///
    /// # Errors
    /// As [`backlog`](Self::backlog).
    fn behind(&self) -> Result<i64, SendsError>;

    /// Sees to it that what was received before a question counts; blocks. With `patient`, a running `serve` is waited for.
    ///
    /// # Errors
    /// When it is not there in time.
    fn catch_up(&self, keys: Arc<dyn Keys>, patient: bool) -> Result<(), SendsError>;

    /// How often to look for something new.
    fn pace(&self) -> Pace;

    /// How many questions are better asked at once than one after the other.
    fn at_once(&self) -> usize;

    /// What people were told; asks nobody yet.
    fn told(&self) -> Box<dyn Told>;
}

/// Which ends of runs people were told of, so that each is told once.
pub trait Told: Send {
    /// Whether people were told that a run came to this outcome, when it had come as far as `at` (its last acceptance or newest
    /// mail, µs).
    ///
    /// # Errors
    /// When that cannot be read.
    fn was_told(&mut self, run: &str, outcome: &str, at: i64) -> Result<bool, SendsError>;

    /// Remembers that they were; durable when this returns.
    ///
    /// # Errors
    /// When that cannot be written.
    fn note(&mut self, run: &str, outcome: &str, at: i64) -> Result<(), SendsError>;
}
