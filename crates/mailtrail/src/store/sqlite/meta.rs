//! What the trail knows of itself.

use rusqlite::{Connection, OptionalExtension};

/// Counts the writings of others than the drain, which must then forget the numbers it has cached.
pub(super) fn generation(sql: &Connection) -> rusqlite::Result<i64> {
    Ok(get(sql, "generation")?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

pub(super) fn bump_generation(sql: &Connection) -> rusqlite::Result<()> {
    set(sql, "generation", &(generation(sql)? + 1).to_string())
}

pub(super) fn get(sql: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    sql.prepare_cached("SELECT value FROM meta WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

pub(super) fn set(sql: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    sql.prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
        .execute((name, value))
        .map(|_| ())
}
