//! How far the trail was copied to BigQuery, and what BigQuery would not take.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::error::TrailError;
use crate::database::{self, Format, Wal};

pub(in crate::store) const FORMAT: Format =
    Format { name: "forwarding state", application_id: 0x4d54_4657, migrations: &[include_str!("0001_forwarded.sql")] };

/// Pages in the log before a checkpoint.
const CHECKPOINT_PAGES: i32 = 500;

/// An event that the target refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEvent {
    /// Its id in the trail.
    pub id: i64,
    /// The target's own words.
    pub why: String,
}

/// The saved place of one target.
pub struct Forwarded {
    wal: Wal,
    connection: Connection,
    target: String,
}

impl Forwarded {
    /// Opens the state, creating it where it is missing; `target` is what the trail is copied to.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, target: &str) -> Result<Self, TrailError> {
        let mut connection = database::open(path, &FORMAT)?;
        // A place lost in a power cut only means that some events are sent twice.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let wal = Wal::watch(&mut connection, CHECKPOINT_PAGES)?;
        Ok(Self { connection, wal, target: target.to_owned() })
    }

    /// All events up to this id were taken or refused; 0 at the beginning.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn cursor(&self) -> Result<i64, TrailError> {
        let select = "SELECT event_id FROM cursor WHERE target = ?1";
        Ok(self.connection.query_row(select, [&self.target], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// Notes what was refused and moves the cursor, both or neither.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn advance(&mut self, to: i64, refused: &[RefusedEvent], at: i64) -> Result<(), TrailError> {
        let transaction = self.connection.transaction()?;
        for event in refused {
            transaction
                .prepare_cached(
                    "INSERT INTO forward_failed (target, event_id, at, why) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (target, event_id) DO UPDATE SET at = ?3, why = ?4",
                )?
                .execute((&self.target, event.id, at, &event.why))?;
        }
        transaction
            .prepare_cached(
                "INSERT INTO cursor (target, event_id) VALUES (?1, ?2)
                 ON CONFLICT (target) DO UPDATE SET event_id = ?2",
            )?
            .execute((&self.target, to))?;
        transaction.commit()?;
        // The cursor has moved, whatever becomes of the checkpoint.
        if let Err(error) = self.wal.checkpoint_if_long(&self.connection) {
            tracing::warn!("the log of the forwarding state stays long: {error}");
        }
        Ok(())
    }

    /// What was refused, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn refused(&self, limit: u32) -> Result<Vec<RefusedEvent>, TrailError> {
        let select = "SELECT event_id, why FROM forward_failed WHERE target = ?1 ORDER BY event_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(select)?;
        let rows =
            statement.query_map((&self.target, limit), |row| Ok(RefusedEvent { id: row.get(0)?, why: row.get(1)? }))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_its_place_and_its_refusals() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("mail.forward.db");
        let mut first = Forwarded::open(&path, "p.d.t").expect("opened");
        assert_eq!(first.cursor().expect("read"), 0);
        let refused = [RefusedEvent { id: 3, why: "no".to_owned() }];
        first.advance(7, &refused, 1).expect("written");
        first.advance(9, &refused, 2).expect("the same refusal again is one");
        let other = Forwarded::open(&path, "p.d.other").expect("opened");
        assert_eq!((other.cursor().expect("read"), other.refused(9).expect("read")), (0, vec![]));
        drop(first);
        let again = Forwarded::open(&path, "p.d.t").expect("opened again");
        assert_eq!((again.cursor().expect("read"), again.refused(9).expect("read")), (9, refused.to_vec()));
    }
}
