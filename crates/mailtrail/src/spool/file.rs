//! One generation of the spool: a database file, its writing and its reading end.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::backlog::Backlog;
use super::record::Record;
use super::writer::Waiting;
use crate::database::{self, Format, OpenError, Replaced, Wal};
use crate::protect::{BATCH_FORMAT, SealedPost};

/// The spool's file format. The format of a batch within is a number of its own.
pub(crate) const FORMAT: Format = Format {
    name: "spool",
    application_id: 0x4d54_5350,
    migrations: &[include_str!("0001_spool.sql"), include_str!("0002_post.sql")],
};

/// As an earlier version left it: without POSTs to be passed on. A file that is only read is not brought up to date.
const WITHOUT_POSTS: Format = Format { migrations: &[include_str!("0001_spool.sql")], ..FORMAT };

/// Opens a file of this version or an earlier one for reading; says whether POSTs may be in it.
pub(super) fn open_to_read(path: &Path) -> Result<(Connection, bool), OpenError> {
    match database::open_read_only(path, &FORMAT) {
        Ok(connection) => Ok((connection, true)),
        Err(OpenError::Older { .. }) => Ok((database::open_read_only(path, &WITHOUT_POSTS)?, false)),
        Err(error) => Err(error),
    }
}

/// Pages in the log before a checkpoint: the file is small, and its pages are used again and again.
const CHECKPOINT_PAGES: i32 = 8_000;

/// KiB of pages that the reading end keeps: each is read once.
const READER_CACHE_KIB: i64 = 256;

/// The writing end.
pub(super) struct SpoolFile {
    wal: Wal,
    connection: Connection,
    last_id: i64,
    #[cfg(test)]
    pub(super) fail_next: Option<i32>,
}

impl SpoolFile {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let mut connection = database::open(path, &FORMAT)?;
        let (newest, last_id) =
            prepare(&connection).map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        refuse_newer(path, newest)?;
        let wal = Wal::watch(&mut connection, CHECKPOINT_PAGES)
            .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        Ok(Self {
            connection,
            wal,
            last_id,
            #[cfg(test)]
            fail_next: None,
        })
    }

    /// Stores batches and deletes drained ones in one commit, durable when this returns; says the last id.
    pub(super) fn commit<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Waiting>,
        drained_through: Option<i64>,
    ) -> rusqlite::Result<i64> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut last_id = self.last_id;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO batch (received_at, format, items, body) VALUES (?1, ?2, ?3, ?4)")?;
            let mut insert_post =
                transaction.prepare_cached("INSERT INTO post (batch, seal_key_id, sealed) VALUES (?1, ?2, ?3)")?;
            for Waiting { received_at, record, post, .. } in batches {
                insert.execute((received_at, record.format(), record.items(), record.bytes()))?;
                last_id = transaction.last_insert_rowid();
                if let Some(post) = post {
                    insert_post.execute((last_id, &post.seal_key_id, &post.sealed))?;
                }
            }
            if let Some(id) = drained_through {
                transaction.prepare_cached("DELETE FROM post WHERE batch <= ?1")?.execute([id])?;
                transaction.prepare_cached("DELETE FROM batch WHERE id <= ?1")?.execute([id])?;
            }
        }
        #[cfg(test)]
        if let Some(code) = self.fail_next.take() {
            return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        }
        transaction.commit()?;
        self.last_id = last_id;
        Ok(last_id)
    }

    /// Writes and syncs something, to learn whether that works again.
    pub(super) fn probe(&self) -> rusqlite::Result<()> {
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        self.connection.pragma_update(None, "user_version", version)
    }

    /// Whether a failed transaction left the connection as if it had not been.
    pub(super) fn is_clean(&self) -> bool {
        self.connection.is_autocommit()
    }

    pub(super) fn checkpoint_if_long(&mut self) -> rusqlite::Result<()> {
        self.wal.checkpoint_if_long(&self.connection)
    }

    pub(super) fn settle(&self) -> rusqlite::Result<()> {
        database::settle(&self.connection).map(drop)
    }

    /// Fails if the files are no longer the ones at their paths: then what was committed is gone with this process.
    pub(super) fn check_in_place(&self) -> Result<(), Replaced> {
        self.wal.check_in_place()
    }

    /// Writes the file anew, so that nothing is left of batches that were deleted; `false` where a reader kept the log.
    pub(super) fn scrub(&mut self) -> rusqlite::Result<bool> {
        // What still waits must not reach a temporary file of another folder.
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        self.connection.execute_batch("VACUUM")?;
        database::empty_log(&self.connection)
    }

    /// Closes without a checkpoint, after a failed sync.
    pub(super) fn abandon(self) {
        database::abandon(self.connection);
    }

    pub(super) fn backlog(&self) -> rusqlite::Result<Backlog> {
        backlog(&self.connection, true)
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Makes the file full at its present size, as a full disk would.
    #[cfg(test)]
    pub(super) fn limit_to_present_size(&self) {
        let pages: i64 = self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a count");
        self.connection
            .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
            .expect("limited");
    }

    #[cfg(test)]
    pub(super) fn lift_limit(&self) {
        self.connection
            .pragma_update_and_check(None, "max_page_count", 1_000_000_000, |row| row.get::<_, i64>(0))
            .expect("lifted");
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<(Option<u16>, i64)> {
    let newest = connection.query_row("SELECT max(format) FROM batch", (), |row| row.get(0))?;
    let last_id = connection.query_row(
        "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'batch'), 0)",
        (),
        |row| row.get(0),
    )?;
    Ok((newest, last_id))
}

fn refuse_newer(path: &Path, newest: Option<u16>) -> Result<(), OpenError> {
    match newest {
        Some(found) if found > BATCH_FORMAT => Err(OpenError::Newer {
            path: path.to_owned(),
            name: "spool row",
            found: i64::from(found),
            known: usize::from(BATCH_FORMAT),
        }),
        _ => Ok(()),
    }
}

fn backlog(connection: &Connection, with_posts: bool) -> rusqlite::Result<Backlog> {
    let count = |row: &rusqlite::Row<'_>, index| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let batches = "SELECT count(*), ifnull(sum(items), 0), ifnull(sum(length(body)), 0) FROM batch";
    let mut backlog = connection.query_row(batches, (), |row| {
        Ok(Backlog { rows: count(row, 0)?, items: count(row, 1)?, bytes: count(row, 2)? })
    })?;
    if with_posts {
        let posts = "SELECT ifnull(sum(length(sealed)), 0) FROM post";
        backlog.bytes += connection.query_row(posts, (), |row| count(row, 0))?;
    }
    Ok(backlog)
}

/// A batch as read back.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) received_at: i64,
    pub(super) record: Record,
    pub(super) post: Option<SealedPost>,
}

impl Stored {
    /// Size of all that waits.
    pub(super) fn bytes(&self) -> usize {
        self.record.bytes().len() + self.post.as_ref().map_or(0, |post| post.sealed.len())
    }
}

/// The reading end; never writes to the file.
pub(super) struct Reader {
    connection: Connection,
    with_posts: bool,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, with_posts) = open_to_read(path)?;
        connection
            .pragma_update(None, "cache_size", -READER_CACHE_KIB)
            .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        Ok(Self { connection, with_posts })
    }

    pub(super) fn backlog(&self) -> rusqlite::Result<Backlog> {
        backlog(&self.connection, self.with_posts)
    }

    /// The batches after `id`, oldest first, up to about so many items and bytes. The read ends before this returns, so
    /// that it holds no checkpoint back.
    pub(super) fn read_after(&self, id: i64, max_items: u64, max_bytes: usize) -> rusqlite::Result<Vec<Stored>> {
        let sql = if self.with_posts {
            "SELECT id, received_at, format, items, body, seal_key_id, sealed
             FROM batch LEFT JOIN post ON post.batch = batch.id WHERE id > ?1 ORDER BY id"
        } else {
            "SELECT id, received_at, format, items, body, NULL, NULL FROM batch WHERE id > ?1 ORDER BY id"
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([id])?;
        let (mut found, mut items, mut bytes) = (Vec::new(), 0, 0);
        while items < max_items && bytes < max_bytes {
            let Some(row) = rows.next()? else { break };
            let record = Record::from_stored(row.get(2)?, row.get(3)?, row.get(4)?);
            let post = match row.get(5)? {
                Some(seal_key_id) => Some(SealedPost { seal_key_id, sealed: row.get(6)? }),
                None => None,
            };
            let stored = Stored { id: row.get(0)?, received_at: row.get(1)?, record, post };
            items += u64::from(stored.record.items());
            bytes += stored.bytes();
            found.push(stored);
        }
        Ok(found)
    }
}
