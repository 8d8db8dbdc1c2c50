//! Answers from the trail, beside whoever writes it. Each method is one statement or a few short ones, so that no reader holds
//! the write-ahead log back for long.

mod browse;
mod counts;
mod follow;
mod keys;
mod list;
mod messages;
mod record;
mod select;
mod status;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::trail::FORMAT;
use crate::database::{self, OpenError};
use crate::settle::Status;
use crate::store::Paths;

/// KiB of pages kept in memory: many answers look up rows all over the trail, and read some pages many times.
const CACHE_KIB: i64 = 64 * 1024;

/// The same for followers.
const FOLLOWER_CACHE_KIB: i64 = 4 * 1024;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing was ever stored there.
    #[error("no trail at {path}: start `mailtrail serve`, or say which with --config")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite refused.
    #[error("the trail cannot be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// More lines of counts than anybody reads.
    #[error("more than {limit} lines of counts: count by fewer things, or narrow the time with --since and --until")]
    TooManyGroups {
        /// How many there may be.
        limit: usize,
    },
}

/// The trail, open for questions.
pub struct Reader {
    sql: Connection,
    /// Every statement that was issued.
    #[cfg(test)]
    issued: std::cell::RefCell<Vec<String>>,
}

impl Reader {
    /// Opens a store's trail for reading.
    ///
    /// # Errors
    /// When there is none, or it cannot be read by this version.
    pub fn open(paths: &Paths) -> Result<Self, ReadError> {
        Ok(Self {
            sql: open(paths)?,
            #[cfg(test)]
            issued: std::cell::RefCell::default(),
        })
    }

    /// As [`open`](Self::open), for who reads what has just been written, once: with a small cache.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_follow(paths: &Paths) -> Result<Self, ReadError> {
        let reader = Self::open(paths)?;
        reader.sql.pragma_update(None, "cache_size", -FOLLOWER_CACHE_KIB)?;
        Ok(reader)
    }

    /// What is wrong with the file, of which every page is read for that; `None` if nothing is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn damage(&self) -> Result<Option<String>, ReadError> {
        let found: String = self.sql.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0))?;
        Ok((found != "ok").then_some(found))
    }

    /// Every statement goes through here.
    pub(super) fn prepare(&self, text: &str) -> rusqlite::Result<rusqlite::CachedStatement<'_>> {
        #[cfg(test)]
        self.issued.borrow_mut().push(text.to_owned());
        self.sql.prepare_cached(text)
    }
}

/// A connection that only reads, with the functions that speak of mail.
pub(super) fn open(paths: &Paths) -> Result<Connection, ReadError> {
    let path = paths.trail();
    if !path.try_exists().unwrap_or(true) {
        return Err(ReadError::Missing { path: path.to_owned() });
    }
    let sql = database::open_read_only(path, &FORMAT)?;
    sql.pragma_update(None, "trusted_schema", false)?;
    sql.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    sql.create_scalar_function("mail_status", 2, flags, |call| {
        let (event, r#type) = (call.get_raw(0).as_str_or_null(), call.get_raw(1).as_str_or_null());
        let event = event.ok().flatten().unwrap_or_default();
        Ok(Status::of(event, r#type.ok().flatten()).as_str())
    })?;
    Ok(sql)
}
