//! The trail's one writing connection.

use std::path::Path;

use rusqlite::Connection;

use super::error::TrailError;
use super::intern::Interned;
use crate::database::{self, Format, Replaced, Wal};
use crate::store::paths;

/// The trail's file format.
pub(crate) const FORMAT: Format = Format {
    name: "trail",
    application_id: 0x4d54_5452,
    migrations: &[include_str!("0001_trail.sql"), include_str!("0002_forgotten.sql")],
};

/// Pages in the log before a checkpoint: large, since neighbouring commits touch the same pages again.
const CHECKPOINT_PAGES: i32 = 20_000;
/// KiB of pages kept in memory. With half as much again the drain was 2 to 7 % faster at five million events.
const CACHE_KIB: i64 = 16 * 1024;

/// The trail, open for appending. Several processes may have it open; each transaction takes its turn.
pub struct Trail {
    wal: Wal,
    pub(super) connection: Connection,
    pub(super) interned: Interned,
}

impl Trail {
    /// Opens the trail for appending; creates it and brings it up to date where needed.
    ///
    /// # Errors
    /// When the file cannot be opened, is no trail, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, TrailError> {
        // An empty trail would take the place of the one that is to come.
        if !path.exists() && paths::restoring(path).exists() {
            return Err(TrailError::Restoring { path: path.to_owned() });
        }
        let mut connection = database::open(path, &FORMAT)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // Each row refers to numbers that this connection just looked up or gave; looking them up again for every event
        // would be half of its work. Tests check the references.
        connection.pragma_update(None, "foreign_keys", false)?;
        let wal = Wal::watch(&mut connection, CHECKPOINT_PAGES)?;
        Ok(Self { connection, interned: Interned::default(), wal })
    }

    /// As [`open`](Self::open), but creates nothing: a trail that was removed must not be replaced by an empty one.
    ///
    /// # Errors
    /// When there is none, or as [`open`](Self::open).
    pub(crate) fn open_existing(path: &Path) -> Result<Self, TrailError> {
        if path.exists() { Self::open(path) } else { Err(Replaced { path: path.to_owned() }.into()) }
    }

    /// Opens a trail for looking alone: nothing can be written.
    ///
    /// # Errors
    /// When there is none of this version.
    pub(crate) fn look(path: &Path) -> Result<Self, TrailError> {
        let mut connection = database::open_read_only(path, &FORMAT)?;
        let wal = Wal::watch(&mut connection, CHECKPOINT_PAGES)?;
        Ok(Self { connection, interned: Interned::default(), wal })
    }

    /// Fails if its files are no longer the ones at their paths: then what was appended is gone with this process.
    pub(crate) fn check_in_place(&self) -> Result<(), TrailError> {
        Ok(self.wal.check_in_place()?)
    }

    /// Closes without a checkpoint, after a failed sync.
    pub(crate) fn abandon(self) {
        database::abandon(self.connection);
    }

    /// Moves the log into the database where it has become long.
    ///
    /// # Errors
    /// When the database cannot be written; the log keeps everything, and the next call tries again.
    pub fn checkpoint_if_long(&mut self) -> Result<(), TrailError> {
        Ok(self.wal.checkpoint_if_long(&self.connection)?)
    }

    /// Moves the log into the database as far as readers allow.
    ///
    /// # Errors
    /// As [`checkpoint_if_long`](Self::checkpoint_if_long).
    pub fn settle(&mut self) -> Result<(), TrailError> {
        database::settle(&self.connection)?;
        Ok(())
    }
}
