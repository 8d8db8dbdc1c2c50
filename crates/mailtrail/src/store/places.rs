//! How far each follower has come, and of which ends of runs people were told. Beside the trail, not in it: the trail has one writer, which nobody should wait for.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::paths::Paths;
use crate::database::{self, Format, OpenError, Wal};

pub(in crate::store) const FORMAT: Format = Format {
    name: "file of followers",
    application_id: 0x4d54_464c,
    migrations: &[include_str!("0001_follow.sql"), include_str!("0002_told.sql")],
};

/// Pages in the log before a checkpoint.
const CHECKPOINT_PAGES: i32 = 200;

/// The saved places, open for writing.
pub struct Places {
    wal: Wal,
    sql: Connection,
}

/// Why a place is not saved.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite refused.
    #[error("the places of followers cannot be read or saved: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl Places {
    /// Opens the file beside the trail; creates it where needed.
    ///
    /// # Errors
    /// When it cannot be opened or was written by a newer version.
    pub fn open(paths: &Paths) -> Result<Self, PlacesError> {
        let mut sql = database::open(&paths.followers(), &FORMAT)?;
        let wal = Wal::watch(&mut sql, CHECKPOINT_PAGES)?;
        Ok(Self { sql, wal })
    }

    /// The place saved under a name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get(&self, follower: &str) -> Result<Option<i64>, PlacesError> {
        let mut statement = self.sql.prepare_cached("SELECT at FROM place WHERE follower = ?1")?;
        Ok(statement.query_row([follower], |row| row.get(0)).optional()?)
    }

    /// Saves places, `None` to forget one; all of them or none, durable when this returns.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing was.
    pub fn save<'n>(&mut self, places: impl IntoIterator<Item = (&'n str, Option<i64>)>) -> Result<(), PlacesError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (follower, at) in places {
            match at {
                Some(at) => transaction
                    .prepare_cached(
                        "INSERT INTO place (follower, at) VALUES (?1, ?2) ON CONFLICT (follower) DO UPDATE SET at = ?2",
                    )?
                    .execute((follower, at))?,
                None => transaction.prepare_cached("DELETE FROM place WHERE follower = ?1")?.execute([follower])?,
            };
        }
        transaction.commit()?;
        self.checkpoint();
        Ok(())
    }

    /// Whether people were told that a run came to this outcome, when it had come as far as `at` (its last acceptance or newest mail, µs).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn was_told(&self, run: &str, outcome: &str, at: i64) -> Result<bool, PlacesError> {
        let mut statement =
            self.sql.prepare_cached("SELECT 1 FROM told WHERE run = ?1 AND outcome = ?2 AND at >= ?3")?;
        Ok(statement.query_row((run, outcome, at), |_| Ok(())).optional()?.is_some())
    }

    /// Remembers that they were; durable when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn told(&mut self, run: &str, outcome: &str, at: i64) -> Result<(), PlacesError> {
        let insert = "INSERT INTO told (run, outcome, at) VALUES (?1, ?2, ?3)
                      ON CONFLICT (run, outcome) DO UPDATE SET at = max(at, ?3)";
        self.sql.prepare_cached(insert)?.execute((run, outcome, at))?;
        self.checkpoint();
        Ok(())
    }

    /// What was saved is durable in the log, whatever becomes of the checkpoint.
    fn checkpoint(&mut self) {
        if let Err(error) = self.wal.checkpoint_if_long(&self.sql) {
            tracing::warn!("the log of the followers' file stays long: {error}");
        }
    }

    /// Forgets all places but these.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn keep_only(&mut self, followers: &[String]) -> Result<(), PlacesError> {
        let names = serde_json::to_string(followers).unwrap_or_default();
        let delete = "DELETE FROM place WHERE follower NOT IN (SELECT value FROM json_each(?1))";
        self.sql.prepare_cached(delete)?.execute([names])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outlive_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(folder.path().join("mail.db"));
        let mut places = Places::open(&paths).expect("created");
        assert_eq!(places.get("alert").expect("read"), None);
        places.save([("alert", Some(7)), ("old", Some(1)), ("gone", Some(2))]).expect("saved");
        places.save([("alert", Some(9)), ("gone", None)]).expect("saved");
        drop(places);
        let mut places = Places::open(&paths).expect("opened again");
        assert_eq!((places.get("alert").expect("read"), places.get("gone").expect("read")), (Some(9), None));
        places.keep_only(&["alert".to_owned()]).expect("saved");
        assert_eq!((places.get("alert").expect("read"), places.get("old").expect("read")), (Some(9), None));
        assert!(!paths.trail().exists(), "the trail is not touched");
    }

    #[test]
    fn an_end_is_told_once_unless_the_run_went_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut places = Places::open(&Paths::new(folder.path().join("mail.db"))).expect("created");
        assert!(!places.was_told("november", "run.settled", 7).expect("read"));
        places.told("november", "run.settled", 7).expect("written");
        places.keep_only(&[]).expect("saved");
        assert!(places.was_told("november", "run.settled", 7).expect("read"), "that is no place");
        assert!(!places.was_told("november", "run.settled", 8).expect("read"));
        assert!(!places.was_told("november", "run.quiet", 7).expect("read"));
    }
}
