//! How far each consumer is.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::{FORMAT, RelayError, RelayFile, head};
use crate::database::{self, OpenError};
use crate::store::paths::Paths;

/// A consumer of posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerState {
    /// Its name.
    pub name: String,
    /// Posts that it is still to get, about: forgotten ones in between count.
    pub waiting: u64,
    /// When the oldest of them came in, µs since the epoch.
    pub oldest: Option<i64>,
    /// Posts that it refused for good.
    pub set_aside: u64,
    /// HTTP statuses of these refusals with how many there are; 0: cannot be opened.
    pub refusals: BTreeMap<u16, u64>,
    /// Posts that it got, ever.
    pub delivered: u64,
    /// Posts that it never will, ever.
    pub dropped: u64,
}

impl RelayFile {
    /// How far each consumer is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn consumers(&self) -> Result<Vec<ConsumerState>, RelayError> {
        Ok(consumers(&self.sql)?)
    }
}

/// How far each consumer is, seen from outside; `None` where nothing was ever passed on.
///
/// # Errors
/// When the file is none of this version or cannot be read.
pub fn look(paths: &Paths) -> Result<Option<Vec<ConsumerState>>, OpenError> {
    let path = paths.relay();
    if !path.exists() {
        return Ok(None);
    }
    let sql = database::open_read_only(&path, &FORMAT)?;
    consumers(&sql).map(Some).map_err(|source| OpenError::Sqlite { path, source })
}

fn consumers(sql: &Connection) -> rusqlite::Result<Vec<ConsumerState>> {
    let head = head(sql)?;
    let mut statement = sql.prepare_cached("SELECT name, at, delivered, dropped FROM consumer ORDER BY name")?;
    let found: Vec<(String, i64, i64, i64)> = statement
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut states = Vec::new();
    for (name, at, delivered, dropped) in found {
        let oldest = sql
            .prepare_cached("SELECT received_at FROM post WHERE id > ?1 ORDER BY id LIMIT 1")?
            .query_row([at], |row| row.get(0))
            .optional()?;
        let mut by_status =
            sql.prepare_cached("SELECT status, count(*) FROM set_aside WHERE consumer = ?1 GROUP BY 1")?;
        let refusals: BTreeMap<u16, u64> = by_status
            .query_map([&name], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
            .collect::<rusqlite::Result<_>>()?;
        states.push(ConsumerState {
            name,
            waiting: if oldest.is_some() { head.saturating_sub(at).unsigned_abs() } else { 0 },
            oldest,
            set_aside: refusals.values().sum(),
            refusals,
            delivered: delivered.unsigned_abs(),
            dropped: dropped.unsigned_abs(),
        });
    }
    Ok(states)
}
