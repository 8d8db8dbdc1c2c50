//! What `doctor` wants to know of a trail, at a bounded cost.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::error::TrailError;
use super::trail::FORMAT;
use crate::database;

/// How many of the newest events are looked at for their types.
pub const EVENTS_LOOKED_AT: u32 = 100_000;

/// A trail seen from outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Trail {
    /// Version of its tables.
    pub version: i64,
    /// How many items are in quarantine.
    pub quarantined: i64,
    /// When the newest event came in, µs since the epoch.
    pub last_received_at: Option<i64>,
    /// Types of the newest events.
    pub seen: Vec<String>,
}

/// Looks at a trail without writing to it.
///
/// # Errors
/// When the file is no trail of this version or cannot be read.
pub fn trail(path: &Path) -> Result<Trail, TrailError> {
    let sql = database::open_read_only(path, &FORMAT)?;
    Ok(look(&sql)?)
}

fn look(sql: &Connection) -> rusqlite::Result<Trail> {
    let newest = "SELECT received_at FROM event ORDER BY id DESC LIMIT 1";
    let types = "SELECT DISTINCT event FROM (SELECT event FROM event ORDER BY id DESC LIMIT ?1)";
    Ok(Trail {
        version: sql.pragma_query_value(None, "user_version", |row| row.get(0))?,
        quarantined: sql.query_row("SELECT count(*) FROM quarantine", (), |row| row.get(0))?,
        last_received_at: sql.query_row(newest, (), |row| row.get(0)).optional()?,
        seen: sql.prepare(types)?.query_map([EVENTS_LOOKED_AT], |row| row.get(0))?.collect::<Result<_, _>>()?,
    })
}
