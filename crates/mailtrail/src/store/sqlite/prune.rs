//! Removes events that are kept elsewhere, in short transactions beside whoever appends.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, TransactionBehavior};

use super::delete::{Deleted, Step, delete_events, delete_unused};
use super::error::TrailError;
use super::meta;
use super::trail::Trail;

/// Events before this time (µs since the epoch) may be missing.
const MARK: &str = "pruned_until";

/// Between two transactions the trail is free for so long. SQLite does not queue writers: whoever waits looks again every so often.
const BREATH: Duration = Duration::from_millis(20);

/// The time before which events were pruned, from the trail's own notes.
pub(super) fn pruned_until(sql: &rusqlite::Connection) -> rusqlite::Result<Option<i64>> {
    Ok(meta::get(sql, MARK)?.and_then(|text| text.parse().ok()))
}

impl Trail {
    /// Notes that events before this time go, before the first one does. An earlier mark never replaces a later one.
    pub(crate) fn note_pruned_until(&mut self, until: i64) -> Result<(), TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if pruned_until(&transaction)?.is_none_or(|known| known < until) {
            meta::set(&transaction, MARK, &until.to_string())?;
        }
        Ok(transaction.commit()?)
    }

    /// Removes these events, and messages and addresses that no event is left of. The trail's newest event stays in any case:
    /// places of followers are told by its id.
    pub(crate) fn remove_events(&mut self, ids: &[i64]) -> Result<Deleted, TrailError> {
        let mut deleted = Deleted::default();
        let mut ids = ids.iter();
        loop {
            let done = self.in_turns(&mut deleted, |sql, deleted| {
                let Some(id) = ids.next() else { return Ok(Step::Done) };
                let find = "SELECT message FROM event WHERE id = ?1 AND id < (SELECT max(id) FROM event)";
                let message = sql.prepare_cached(find)?.query_row([id], |row| row.get(0)).optional()?;
                if let Some(message) = message {
                    deleted.events += delete_events(sql, "WHERE e.id = ?1", *id)?;
                    delete_unused(sql, message, deleted)?;
                }
                Ok(Step::More)
            })?;
            if done {
                return Ok(deleted);
            }
            std::thread::sleep(BREATH);
        }
    }

    /// Bytes of the file that hold nothing; new events fill them.
    pub(crate) fn free_bytes(&self) -> Result<u64, TrailError> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok((pragma("freelist_count")? * pragma("page_size")?).unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
