//! The quarantine: authentic input that could not be read, sealed.

use rusqlite::{Connection, TransactionBehavior};

use super::error::TrailError;
use super::meta;
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

impl Trail {
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
