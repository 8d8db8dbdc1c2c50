//! A spool file seen from outside, for `doctor`.

use std::path::Path;

use super::file::{FORMAT, Reader, open_to_read};
use crate::database::{self, OpenError};

/// What waits in a spool file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Posts that are not drained yet.
    pub batches: i64,
    /// Events in them, what cannot be read included.
    pub events: i64,
    /// When the oldest of them came in, µs since the epoch.
    pub oldest_received_at: Option<i64>,
}

/// Looks at a spool file without writing to it.
///
/// # Errors
/// When the file is no spool of this version or cannot be read.
pub fn look(path: &Path) -> Result<Pending, OpenError> {
    let (sql, _) = open_to_read(path)?;
    let row = sql.query_row("SELECT count(*), ifnull(sum(items), 0), min(received_at) FROM batch", (), |row| {
        Ok(Pending { batches: row.get(0)?, events: row.get(1)?, oldest_received_at: row.get(2)? })
    });
    row.map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })
}

/// The first and the last number of what waits in a spool file; `None` where nothing does. Numbers are never used again.
///
/// # Errors
/// As [`look`].
pub fn span(path: &Path) -> Result<Option<(i64, i64)>, OpenError> {
    let (sql, _) = open_to_read(path)?;
    let row = sql.query_row("SELECT min(id), max(id) FROM batch", (), |row| Ok((row.get(0)?, row.get(1)?)));
    let (first, last): (Option<i64>, Option<i64>) =
        row.map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
    Ok(first.zip(last))
}

/// Takes the POSTs that are to be passed on out of a copy of a spool file, to the last byte; durable when this returns.
///
/// # Errors
/// When the copy cannot be written.
pub(crate) fn leave_out_posts(copy: &Path) -> Result<(), OpenError> {
    let sql = database::open(copy, &FORMAT)?;
    let of = |source| OpenError::Sqlite { path: copy.to_owned(), source };
    sql.pragma_update(None, "temp_store", "MEMORY").map_err(of)?;
    sql.execute_batch("DELETE FROM post; VACUUM").map_err(of)?;
    // One file, as copies are: a log beside it would be left behind.
    sql.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0)).map(drop).map_err(of)
}

/// How many events in a spool file `is_theirs`, by the hash of the address. Batches that cannot be decoded count as none.
///
/// # Errors
/// As [`look`].
pub fn count_events(path: &Path, mut is_theirs: impl FnMut(&[u8; 32]) -> bool) -> Result<u64, OpenError> {
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let reader = Reader::open(path)?;
    let (mut after, mut count) = (0, 0);
    loop {
        let found = reader.read_after(after, 20_000, 16 * 1024 * 1024).map_err(of)?;
        let Some(last) = found.last() else { return Ok(count) };
        after = last.id;
        for stored in &found {
            let Ok(batch) = stored.record.decode() else { continue };
            let addresses = batch.events.iter().filter_map(|event| event.address.as_ref());
            count += addresses.filter(|address| is_theirs(&address.email_hash)).count() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database;

    #[test]
    fn what_waits_is_counted_with_the_age_of_the_oldest() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mail.spool-1.db");
        assert!(look(&path).is_err(), "there is none yet");
        let sql = database::open(&path, &FORMAT).expect("created");
        assert_eq!(look(&path).expect("readable"), Pending { batches: 0, events: 0, oldest_received_at: None });
        assert_eq!(span(&path).expect("readable"), None);
        let insert = "INSERT INTO batch (received_at, format, items, body) VALUES (?1, 1, 15, x'00')";
        for received_at in [30, 20] {
            sql.execute(insert, [received_at]).expect("inserted");
        }
        assert_eq!(look(&path).expect("readable"), Pending { batches: 2, events: 30, oldest_received_at: Some(20) });
        assert_eq!(span(&path).expect("readable"), Some((1, 2)));
    }
}
