//! Checkpoints by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::open::BUSY_TIMEOUT;

/// Watches how long the write-ahead log of one writing connection is.
pub(crate) struct Wal {
    frames: Arc<AtomicI32>,
    threshold: i32,
    due: i32,
}

impl Wal {
    /// Watches `connection`, whose log is to be checkpointed beyond `threshold` pages.
    pub(crate) fn watch(connection: &mut Connection, threshold: i32) -> rusqlite::Result<Self> {
        let frames = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&frames);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { frames, threshold, due: threshold })
    }

    /// Moves the log into the database where it has grown beyond the threshold. Never waits for readers: a long one
    /// makes the log grow until it ends, and costs nothing else.
    pub(crate) fn checkpoint_if_long(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.due {
            return Ok(());
        }
        let held_back = checkpoint(connection, "PASSIVE")? > 0;
        // What a reader holds back is tried again after another threshold's worth of pages, not at every commit.
        self.due = if held_back { frames.saturating_add(self.threshold) } else { self.threshold };
        self.frames.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// Moves the whole log into the database and empties it, as far as readers allow.
///
/// Also what makes a file trustworthy after a process died: what SQLite recovers from a log may sit in the page cache
/// alone, if that process died of a failed fsync; a checkpoint writes and syncs it anew.
pub(crate) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    // Waiting for readers would not make it any safer: what they hold back stays in the log, and the next one moves it.
    connection.busy_timeout(Duration::ZERO)?;
    let settled = checkpoint(connection, "TRUNCATE");
    connection.busy_timeout(BUSY_TIMEOUT)?;
    settled.map(|_| ())
}

/// Empties the log to its last byte, waiting for readers and writers; `false` where one of them took too long.
pub(crate) fn empty_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Pages that could not be moved yet.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.pragma_update_and_check(None, "wal_checkpoint", mode, |row| {
        let (log, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((log - moved).max(0))
    })
}
