//! The quarantine: authentic input that could not be read, sealed.

use rusqlite::Connection;

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
