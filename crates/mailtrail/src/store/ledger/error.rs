//! Why something is not in the ledger.

use crate::database::OpenError;
use crate::run::{NoRandomness, RunName};
use crate::store::bigquery::{AppendError, BigQueryError};
use crate::store::lock::LockError;
use crate::store::restored::Restored;
use crate::store::sqlite::ReadError;

/// Why something is not in the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Somebody else is sending this run.
    #[error(
        "run {run} is being sent by {} right now. Wait until it has ended; started again, only those are mailed whom it left",
        .process.as_deref().unwrap_or("another process")
    )]
    Busy {
        /// The run.
        run: RunName,
        /// `process 4711`, where it is known.
        process: Option<String>,
    },
    /// The run's lock file cannot be used.
    #[error(transparent)]
    Lock(LockError),
    /// SQLite refused.
    #[error("the ledger cannot be read or written: {0}. Nothing is sent that is not on record first")]
    Sqlite(#[from] rusqlite::Error),
    /// Somebody else holds the run, or did and never let go.
    #[error(
        "run {run} is being sent by {holder}, since {since}. Wait until it has ended; started again, only those are mailed whom \
         it left. Where that sender is gone for good, which BigQuery cannot know, take the run from it by --take-over: what it \
         had under way then counts as uncertain"
    )]
    Held {
        /// The run.
        run: RunName,
        /// `process 4711 on host`.
        holder: String,
        /// RFC 3339.
        since: String,
    },
    /// Somebody else took the run over.
    #[error(
        "run {run} was taken over by {holder}: this sender stops before its next request. What it mailed is on record"
    )]
    Lost {
        /// The run.
        run: RunName,
        /// `process 4711 on host`.
        holder: String,
    },
    /// BigQuery refused, or cannot be reached.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// BigQuery did not take a step.
    #[error("the ledger cannot be written, and nothing is sent that is not on record first")]
    Append(#[from] AppendError),
    /// The store came back from a backup.
    #[error(transparent)]
    Restored(#[from] Restored),
    /// Whether it came back from a backup cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No ids.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// Earlier claims were made under a key that is not configured.
    #[error(
        "earlier mail is on record under the hash key {0}, which is not configured: it would not be seen that somebody was mailed. \
         Name its file in [privacy] previous_key_files"
    )]
    UnknownKey(String),
    /// A claim that stands already: the caller did not look at what is known.
    #[error("a recipient is claimed already in this attempt of run {0}")]
    Claimed(RunName),
}
