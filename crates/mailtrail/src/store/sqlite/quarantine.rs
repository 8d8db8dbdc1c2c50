//! The quarantine: authentic input that could not be read, sealed.

use rusqlite::{Connection, TransactionBehavior};

use super::error::TrailError;
use super::meta;
use super::read::{ReadError, Reader};
use super::trail::Trail;
use crate::protect::SealedRow;

/// Keeps an item; `false` where the same one is kept already.
pub(super) fn insert(
    sql: &Connection,
    received_at: i64,
    verified_by: Option<&str>,
    item: &SealedRow<&str>,
) -> rusqlite::Result<bool> {
    let added = sql
        .prepare_cached(
            "INSERT INTO quarantine (item_key, why, received_at, verified_by, seal_key_id, sealed)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (item_key) DO NOTHING",
        )?
        .execute(rusqlite::params![item.item_key, item.why, received_at, verified_by, item.seal_key_id, item.sealed])?;
    Ok(added > 0)
}

/// An entry as stored.
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) item_key: [u8; 16],
    pub(crate) why: String,
    pub(crate) received_at: i64,
    pub(crate) verified_by: Option<String>,
    pub(crate) seal_key_id: String,
    pub(crate) sealed: Vec<u8>,
}

/// An entry without its content.
pub(crate) struct QuarantineSummary {
    pub(crate) id: i64,
    pub(crate) why: String,
    pub(crate) received_at: i64,
    pub(crate) verified_by: Option<String>,
    /// Of the sealed form, which has a few more than the content.
    pub(crate) bytes: i64,
    /// When its content was last shown, µs since the epoch.
    pub(crate) shown_at: Option<i64>,
}

/// Beside the time that an entry was shown at: the user who saw it.
const SHOWN: &str = "quarantine_shown/";

impl Reader {
    /// All entries, oldest first.
    pub(crate) fn quarantine(&self) -> Result<Vec<QuarantineSummary>, ReadError> {
        let mut all = self.prepare(
            "SELECT q.id, q.why, q.received_at, q.verified_by, length(q.sealed),
                 (SELECT value FROM meta WHERE name = ?1 || q.id)
             FROM quarantine AS q ORDER BY q.id",
        )?;
        let entries = all.query_map([SHOWN], |row| {
            let shown: Option<String> = row.get(5)?;
            Ok(QuarantineSummary {
                id: row.get(0)?,
                why: row.get(1)?,
                received_at: row.get(2)?,
                verified_by: row.get(3)?,
                bytes: row.get(4)?,
                shown_at: shown.and_then(|shown| shown.split(' ').next()?.parse().ok()),
            })
        })?;
        Ok(entries.collect::<Result<_, _>>()?)
    }
}

impl Trail {
    /// One entry.
    pub(crate) fn quarantined(&self, id: i64) -> Result<Option<Entry>, TrailError> {
        Ok(self.next_quarantined(id.saturating_sub(1))?.filter(|entry| entry.id == id))
    }

    /// Records that a user of this machine saw an entry's content. `at`: µs since the epoch.
    pub(crate) fn note_quarantined_shown(&mut self, id: i64, at: i64, user: u32) -> Result<(), TrailError> {
        meta::set(&self.connection, &format!("{SHOWN}{id}"), &format!("{at} user {user}"))?;
        Ok(())
    }

    /// The next entry after an id, oldest first.
    pub(crate) fn next_quarantined(&self, after: i64) -> Result<Option<Entry>, TrailError> {
        let mut next = self.connection.prepare_cached(
            "SELECT id, item_key, why, received_at, verified_by, seal_key_id, sealed FROM quarantine
             WHERE id > ?1 ORDER BY id LIMIT 1",
        )?;
        let mut rows = next.query([after])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Entry {
            id: row.get(0)?,
            item_key: row.get(1)?,
            why: row.get(2)?,
            received_at: row.get(3)?,
            verified_by: row.get(4)?,
            seal_key_id: row.get(5)?,
            sealed: row.get(6)?,
        }))
    }

    /// Lets an entry go that was read in the end.
    pub(crate) fn release_quarantined(&mut self, id: i64) -> Result<(), TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM quarantine WHERE id = ?1", [id])?;
        meta::bump_generation(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}
