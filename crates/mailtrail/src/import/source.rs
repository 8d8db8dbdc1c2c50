//! Where events come from.

use std::io;

use super::row::Unknown;
use crate::protect::StoredEvent;
use crate::store::bigquery::BigQueryError;
use crate::store::sqlite::ReadError;

/// One thing that a source holds.
pub(super) enum Item {
    /// An event's columns.
    Row(Box<StoredEvent>),
    /// An event as SendGrid posts it.
    Posted(Vec<u8>),
    /// What could not be read as an event, and why.
    Unread { bytes: Vec<u8>, why: &'static str },
}

/// A source of events, read once from its beginning to its end in bounded memory.
pub(super) trait Source {
    /// The next one; `None` behind the last.
    fn next(&mut self) -> Result<Option<Item>, SourceError>;

    /// How far it is: bytes of a file, rows of a table.
    fn read(&self) -> u64;

    /// Columns that no event has, so far.
    fn unknown(&self) -> &Unknown;
}

/// Why a source cannot be read on. Says nothing of its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is of a form that is not read here, or not whole.
    #[error("{0}")]
    Form(String),
    /// Another trail.
    #[error(transparent)]
    Trail(#[from] ReadError),
    /// A table of BigQuery's.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
}
