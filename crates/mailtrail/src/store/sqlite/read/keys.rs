//! What tells events apart, for holding a trail against what is kept elsewhere.

use rusqlite::OptionalExtension as _;

use super::{ReadError, Reader};
use crate::store::query::EventKey;
use crate::store::sqlite::prune;

impl Reader {
    /// The keys of events before a time (µs since the epoch) and after a place, in the order of (timestamp, event_key).
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn keys(&self, until: i64, after: Option<&EventKey>, limit: u32) -> Result<Vec<EventKey>, ReadError> {
        let (time, key) = after.map_or((i64::MIN, [0; 16]), |after| (after.timestamp, after.event_key));
        // The index holds all of it; no row is read.
        let mut statement = self.prepare(
            "SELECT e.id, e.timestamp, e.event_key FROM event AS e INDEXED BY sqlite_autoindex_event_1
             WHERE e.timestamp < ?1 AND (e.timestamp, e.event_key) > (?2, ?3)
             ORDER BY e.timestamp, e.event_key LIMIT ?4",
        )?;
        let rows = statement.query_map((until, time, key, limit), |row| {
            Ok(EventKey { id: row.get(0)?, timestamp: row.get(1)?, event_key: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The time of the first event from some time on, and before another, µs since the epoch.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn first_between(&self, since: i64, until: i64) -> Result<Option<i64>, ReadError> {
        let mut statement = self.prepare(
            "SELECT e.timestamp FROM event AS e INDEXED BY sqlite_autoindex_event_1
             WHERE e.timestamp >= ?1 AND e.timestamp < ?2 ORDER BY e.timestamp LIMIT 1",
        )?;
        Ok(statement.query_row((since, until), |row| row.get(0)).optional()?)
    }

    /// Before which time events may be missing since they were pruned, µs since the epoch.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn pruned_until(&self) -> Result<Option<i64>, ReadError> {
        Ok(prune::pruned_until(&self.sql)?)
    }
}
