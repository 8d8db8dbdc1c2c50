//! POSTs on their way to other consumers: a file of their own beside the trail, sealed, deleted when all consumers have them.
//!
//! The drain adds what came in ([`RelayFile::add`]), durably, before the spool lets go of it. Whoever delivers reads by
//! consumer ([`RelayFile::next`]) and says how far it came ([`RelayFile::done`]); that is not synced: what a power failure
//! takes back is delivered once more.

mod bounds;
mod look;
pub mod remove;

pub use bounds::{Bound, Dropped};
pub use look::{ConsumerState, look};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::paths::Paths;
use crate::database::{self, Format, OpenError, Replaced, Trouble, Wal};
use crate::protect::SealedPost;
use crate::spool::SpooledPost;

const FORMAT: Format =
    Format { name: "relay file", application_id: 0x4d54_5245, migrations: &[include_str!("0001_relay.sql")] };

/// Pages in the log before a checkpoint.
const CHECKPOINT_PAGES: i32 = 4_000;

/// The file, open for writing.
pub struct RelayFile {
    wal: Wal,
    sql: Connection,
}

/// Why posts cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file was replaced.
    #[error(transparent)]
    Replaced(#[from] Replaced),
    /// SQLite refused.
    #[error("what waits to be passed on cannot be read or saved: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl RelayError {
    /// Whether the content is damaged, so that waiting for the device is no remedy.
    fn is_damage(&self) -> bool {
        self.trouble() == Trouble::Damage
    }

    fn trouble(&self) -> Trouble {
        match self {
            Self::Open(error) => error.trouble(),
            Self::Replaced(_) => Trouble::Passing,
            Self::Sqlite(error) => Trouble::of(error),
        }
    }

    /// Whether the file is to be opened again before it is used, because its device failed.
    #[must_use]
    pub fn is_io(&self) -> bool {
        self.trouble() == Trouble::Io
    }
}

/// A post that a consumer is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPost {
    /// Its number; a consumer gets them in ascending order.
    pub id: i64,
    /// When it came in, µs since the epoch.
    pub received_at: i64,
    /// As it came, sealed.
    pub post: SealedPost,
    /// It was refused once, and somebody asked to give it again.
    pub again: bool,
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The consumer has it.
    Delivered,
    /// It refused it for good, with this HTTP status; 0: it cannot be opened.
    SetAside(u16),
    /// It was relayed in a loop, and is not sent again.
    Looped,
}

/// A post that is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Its number.
    pub id: i64,
    /// As [`WaitingPost::again`].
    pub again: bool,
    /// What became of it.
    pub outcome: Outcome,
}

impl RelayFile {
    /// Opens the file beside the trail for the drain, whose writes are synced; creates it where needed.
    ///
    /// # Errors
    /// When it cannot be opened or was written by a newer version.
    pub fn open(paths: &Paths) -> Result<Self, RelayError> {
        let mut sql = database::open(&paths.relay(), &FORMAT)?;
        // Nothing of what was delivered stays in unused pages, sealed as it is.
        sql.pragma_update_and_check(None, "secure_delete", "ON", |row| row.get::<_, i64>(0))?;
        let wal = Wal::watch(&mut sql, CHECKPOINT_PAGES)?;
        Ok(Self { sql, wal })
    }

    /// Opens the file if there is one. A damaged one is given up, because kept it would hold up the drain: a new one takes over,
    /// in which the consumers have the lost posts among those that they never get. For who holds the store's lock, before
    /// anybody else has the file open.
    ///
    /// # Errors
    /// When it cannot be opened for another reason, or not be replaced.
    pub(super) fn open_or_give_up(paths: &Paths) -> Result<Option<Self>, RelayError> {
        if !paths.relay().exists() {
            return Ok(None);
        }
        let opened = Self::open(paths).and_then(|file| file.consumers().and(file.held()).map(|_| file));
        match opened {
            Err(error) if error.is_damage() => {
                let known = look(paths).ok().flatten();
                let lost = known.iter().flatten().map(|consumer| consumer.waiting).max();
                let lost = lost.map_or_else(|| "an unknown number of".to_owned(), |posts| posts.to_string());
                tracing::error!(
                    "{error}: a new file takes over, and {lost} POSTs that waited in the damaged one reach no consumer"
                );
                discard(paths).map_err(|source| OpenError::Io { path: paths.relay(), source })?;
                let file = Self::open(paths)?;
                for consumer in known.iter().flatten() {
                    let dropped = i64::try_from(consumer.dropped + consumer.waiting).unwrap_or(i64::MAX);
                    file.sql.execute(
                        "INSERT INTO consumer (name, at, delivered, dropped) VALUES (?1, 0, ?2, ?3)",
                        (&consumer.name, i64::try_from(consumer.delivered).unwrap_or(i64::MAX), dropped),
                    )?;
                }
                Ok(Some(file))
            }
            opened => opened.map(Some),
        }
    }

    /// Opens it for whoever delivers: how far a consumer is need not be synced, and those who wait for a 200 have the disk.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for_delivery(paths: &Paths) -> Result<Self, RelayError> {
        let this = Self::open(paths)?;
        this.sql.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(this)
    }

    /// Adds posts in their order, durable when this returns.
    ///
    /// # Errors
    /// When they cannot be written; then none was.
    pub fn add(&mut self, posts: &[SpooledPost]) -> Result<(), RelayError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let sql = "INSERT INTO post (received_at, seal_key_id, sealed) VALUES (?1, ?2, ?3)";
            let mut insert = transaction.prepare_cached(sql)?;
            for SpooledPost { received_at, post } in posts {
                insert.execute((received_at, &post.seal_key_id, &post.sealed))?;
            }
        }
        transaction.commit()?;
        self.wal.check_in_place()?;
        self.checkpoint();
        Ok(())
    }

    /// Closes it without a checkpoint, after a failed sync.
    pub fn abandon(self) {
        database::abandon(self.sql);
    }

    /// These are the consumers from here on: a new one gets what comes from now on, nothing is kept for others.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_consumers(&mut self, names: &[&str]) -> Result<(), RelayError> {
        let names = serde_json::to_string(names).unwrap_or_default();
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in ["consumer WHERE name", "set_aside WHERE consumer"] {
            transaction.execute(&format!("DELETE FROM {table} NOT IN (SELECT value FROM json_each(?1))"), [&names])?;
        }
        let add = "INSERT INTO consumer (name, at) SELECT value, ?2 FROM json_each(?1) WHERE true
                   ON CONFLICT (name) DO NOTHING";
        transaction.execute(add, (&names, head(&transaction)?))?;
        transaction.commit()?;
        self.checkpoint();
        Ok(())
    }

    /// What a consumer is to get next, in order, up to so many posts and about so many bytes. What somebody asked to give
    /// again comes first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&self, consumer: &str, posts: usize, bytes: usize) -> Result<Vec<WaitingPost>, RelayError> {
        let again = "SELECT id, received_at, seal_key_id, sealed FROM set_aside JOIN post ON post.id = set_aside.post
                     WHERE consumer = ?1 AND again ORDER BY id";
        let found = self.read(again, consumer, posts, bytes, true)?;
        if !found.is_empty() {
            return Ok(found);
        }
        let new = "SELECT id, received_at, seal_key_id, sealed FROM post
                   WHERE id > (SELECT at FROM consumer WHERE name = ?1) ORDER BY id";
        self.read(new, consumer, posts, bytes, false)
    }

    fn read(
        &self,
        sql: &str,
        consumer: &str,
        posts: usize,
        most: usize,
        again: bool,
    ) -> Result<Vec<WaitingPost>, RelayError> {
        let mut statement = self.sql.prepare_cached(sql)?;
        let mut rows = statement.query([consumer])?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < posts && bytes < most {
            let Some(row) = rows.next()? else { break };
            let post = SealedPost { seal_key_id: row.get(2)?, sealed: row.get(3)? };
            bytes += post.sealed.len();
            found.push(WaitingPost { id: row.get(0)?, received_at: row.get(1)?, post, again });
        }
        Ok(found)
    }

    /// Whether a consumer is still to get this post.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn waits(&self, consumer: &str, id: i64, again: bool) -> Result<bool, RelayError> {
        let sql = if again {
            "SELECT count(*) FROM set_aside JOIN post ON id = post WHERE consumer = ?1 AND post = ?2 AND again"
        } else {
            "SELECT count(*) FROM consumer JOIN post ON post.id = ?2 WHERE name = ?1 AND at < ?2"
        };
        Ok(self.sql.prepare_cached(sql)?.query_row((consumer, id), |row| row.get::<_, i64>(0))? > 0)
    }

    /// Remembers what became of a consumer's posts.
    ///
    /// # Errors
    /// When the file cannot be written; the consumer gets them again then.
    pub fn done(&mut self, consumer: &str, done: &[Done]) -> Result<(), RelayError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for Done { id, again, outcome } in done {
            match outcome {
                Outcome::Delivered => {
                    let count = "UPDATE consumer SET delivered = delivered + 1 WHERE name = ?1";
                    transaction.prepare_cached(count)?.execute([consumer])?;
                    if *again {
                        let delete = "DELETE FROM set_aside WHERE consumer = ?1 AND post = ?2";
                        transaction.prepare_cached(delete)?.execute((consumer, id))?;
                    }
                }
                Outcome::Looped => {
                    let delete = "DELETE FROM set_aside WHERE consumer = ?1 AND post = ?2";
                    transaction.prepare_cached(delete)?.execute((consumer, id))?;
                }
                Outcome::SetAside(status) => {
                    // Not for a consumer or a post that is gone meanwhile.
                    let insert = "INSERT INTO set_aside (consumer, post, status)
                                  SELECT name, ?2, ?3 FROM consumer
                                  WHERE name = ?1 AND EXISTS (SELECT 1 FROM post WHERE id = ?2)
                                  ON CONFLICT DO UPDATE SET status = ?3, again = 0";
                    transaction.prepare_cached(insert)?.execute((consumer, id, status))?;
                }
            }
            if !again {
                let save = "UPDATE consumer SET at = max(at, ?2) WHERE name = ?1";
                transaction.prepare_cached(save)?.execute((consumer, id))?;
            }
        }
        transaction.commit()?;
        self.checkpoint();
        Ok(())
    }

    /// Asks for what a consumer refused to be given again; says how many posts.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn give_again(&mut self, consumer: &str) -> Result<usize, RelayError> {
        Ok(self.sql.execute("UPDATE set_aside SET again = 1 WHERE consumer = ?1", [consumer])?)
    }

    /// Posts and bytes held.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn held(&self) -> Result<(u64, u64), RelayError> {
        let count = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(self.sql.query_row("SELECT posts, bytes FROM held", (), |row| Ok((count(row, 0)?, count(row, 1)?)))?)
    }

    fn checkpoint(&mut self) {
        // What was written is safe in the log, which is tried again.
        if let Err(error) = self.wal.checkpoint_if_long(&self.sql) {
            tracing::warn!("the relay file's log stays long: {error}");
        }
    }
}

/// Deletes the file, with all that waits in it; `false` where there is none. For who holds the store's lock.
///
/// # Errors
/// When it cannot be removed.
pub fn discard(paths: &Paths) -> std::io::Result<bool> {
    let path = paths.relay();
    let there = path.exists();
    if there {
        database::remove_database(&path)?;
    }
    Ok(there)
}

/// The newest number ever given.
fn head(sql: &Connection) -> rusqlite::Result<i64> {
    let newest = "SELECT seq FROM sqlite_sequence WHERE name = 'post'";
    Ok(sql.query_row(newest, (), |row| row.get(0)).optional()?.unwrap_or(0))
}

#[cfg(test)]
mod tests;
