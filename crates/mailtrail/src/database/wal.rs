//! The write-ahead log of a database that this process writes: checkpoints by hand, and what to do after a failed sync.
//!
//! After a failed sync the kernel counts the pages as clean. They stay in its cache, but no later sync writes them, so that readers
//! see what the disk may lack (`docs/decisions/failed-sync.md`).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::Trouble;
use super::open::BUSY_TIMEOUT;
use super::tracked::{Replaced, TrackedFiles};
use crate::files::{self, beside, folder_of};

/// The log is rewritten in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Beside a database of which a part was moved out of the log without a sync, before a sync failed: see [`checkpoint`].
const MARKER: &str = "-unsynced";

/// What a checkpoint achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// All of the log is in the database, durably.
    Complete,
    /// A reader or writer holds part of the log back.
    HeldBack,
}

/// Looks after the log and the files of one writing connection.
pub(crate) struct Wal {
    frames: Arc<AtomicI32>,
    threshold: i32,
    due: i32,
    path: PathBuf,
    files: Arc<TrackedFiles>,
    /// A sync failed: the log must be rewritten before its content counts as durable.
    distrusted: bool,
}

impl Wal {
    /// Watches `connection`, whose log is to be checkpointed beyond `threshold` pages.
    pub(crate) fn watch(connection: &mut Connection, threshold: i32) -> rusqlite::Result<Self> {
        let frames = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&frames);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let path = path_of(connection);
        let files = TrackedFiles::of_database(&path);
        Ok(Self { frames, threshold, due: threshold, path, files, distrusted: false })
    }

    /// Moves the log into the database where it has grown beyond the threshold. Never waits for readers: a long one
    /// makes the log grow until it ends, and costs nothing else.
    pub(crate) fn checkpoint_if_long(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.distrusted {
            self.trust(connection)?;
        }
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.due {
            return Ok(());
        }
        match checkpoint(connection, "PASSIVE") {
            Ok(done) => {
                // What a reader holds back is tried again after another threshold's worth of pages, not at every commit.
                let held_back = done == Checkpoint::HeldBack;
                self.due = if held_back { frames.saturating_add(self.threshold) } else { self.threshold };
                self.frames.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                if Trouble::of(&error).is_of_file() {
                    self.distrusted = true;
                    // At once, because commits that rely on this log may follow. If it fails, it is tried again after the next one.
                    self.trust(connection)?;
                }
                Err(error)
            }
        }
    }

    /// Whether the database, its log and its index are still the files at their paths: what is committed to a file that was
    /// replaced or removed is gone with this process.
    pub(crate) fn check_in_place(&self) -> Result<(), Replaced> {
        self.files.check()
    }

    fn trust(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        rewrite_log(connection, &self.path)?;
        self.distrusted = false;
        Ok(())
    }
}

/// Makes durable what an earlier process left in the log, then moves it into the database as far as readers allow.
///
/// That process may have died of a failed sync. What SQLite recovers from its log is then in the page cache alone, and the first
/// power cut would end the log there, with all that is committed behind it. A checkpoint alone is no remedy, because a reader may
/// keep the log from being reset.
pub(super) fn recover(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    rewrite_log(connection, path)?;
    // What is held back stays in the log, which is durable now; a later checkpoint moves it.
    settle(connection).map(|_| ())
}

/// Moves the whole log into the database and empties it, as far as readers allow; waits for nobody.
pub(crate) fn settle(connection: &Connection) -> rusqlite::Result<Checkpoint> {
    connection.busy_timeout(Duration::ZERO)?;
    let settled = checkpoint(connection, "TRUNCATE");
    connection.busy_timeout(BUSY_TIMEOUT)?;
    settled
}

/// Empties the log to its last byte and makes that durable, waiting for readers and writers; `false` where one of them took too
/// long.
pub(crate) fn empty_log(connection: &Connection) -> rusqlite::Result<bool> {
    let emptied = checkpoint(connection, "TRUNCATE")? == Checkpoint::Complete;
    if emptied {
        sync_length(&beside(&path_of(connection), "-wal")).map_err(as_sqlite)?;
    }
    Ok(emptied)
}

/// Closes without a checkpoint: after a failed sync a later one may succeed although pages are lost, and the log would be deleted
/// with the only good copy in it.
pub(crate) fn abandon(connection: Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::warn!("an untrusted file may be checkpointed when it is closed: {error}");
    }
}

/// SQLite does not sync the log after cutting it: a power cut could bring back what is no longer in the database.
fn sync_length(log: &Path) -> io::Result<()> {
    match File::open(log) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A checkpoint that fails leaves its pages in doubt, and is repeated from the first frame that was not yet moved. Frames that an
/// earlier, partial checkpoint moved are not repeated, although SQLite syncs the database after complete ones only. Then the log
/// is kept, by a marker beside the database, until a process that has the file alone recovers it from its first frame on.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Checkpoint> {
    let path = path_of(connection);
    if beside(&path, MARKER).exists() {
        return Ok(Checkpoint::HeldBack);
    }
    let done = run_checkpoint(connection, mode);
    if let Err(error) = &done
        && Trouble::of(error).is_of_file()
    {
        // Closing would be a checkpoint, too.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let moved = checkpoint_row(connection, "NOOP", |_, _, moved| moved)?;
        if moved > 0 {
            tracing::error!("a sync of {} failed: its log is kept until no other process has it open", path.display());
            files::replace(&beside(&path, MARKER), |_| Ok(())).map_err(as_sqlite)?;
        }
    }
    done
}

fn run_checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Checkpoint> {
    checkpoint_row(connection, mode, |busy, log, moved| {
        if busy == 0 && moved >= log { Checkpoint::Complete } else { Checkpoint::HeldBack }
    })
}

/// What SQLite says of a checkpoint: whether somebody was in the way, pages in the log, those of them that are in the database.
fn checkpoint_row<T>(connection: &Connection, mode: &str, of: impl FnOnce(i64, i64, i64) -> T) -> rusqlite::Result<T> {
    connection
        .pragma_update_and_check(None, "wal_checkpoint", mode, |row| Ok(of(row.get(0)?, row.get(1)?, row.get(2)?)))
}

/// Recovers a database whose log was kept after a failed checkpoint, if no other connection has it open.
pub(super) fn recover_marked(path: &Path) -> rusqlite::Result<()> {
    let marker = beside(path, MARKER);
    if !marker.exists() {
        return Ok(());
    }
    let connection = Connection::open_with_flags(path, super::open::WRITING)?;
    // The index of the log is then in this process's memory, and made anew from all of the log.
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    let recovered = rewrite_log(&connection, path).and_then(|()| run_checkpoint(&connection, "TRUNCATE"));
    match recovered {
        Ok(Checkpoint::Complete) => {
            drop(connection);
            fs::remove_file(&marker).and_then(|()| files::sync_folder(folder_of(&marker))).map_err(as_sqlite)
        }
        Ok(Checkpoint::HeldBack) => Ok(()),
        Err(error) if Trouble::of(&error) == Trouble::Passing => {
            tracing::warn!("the log of {} is kept, because another process has it open", path.display());
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Writes each byte of the log again and syncs it. The write lock keeps others from changing it meanwhile; readers see the same
/// bytes as before.
fn rewrite_log(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let rewritten = rewrite(&beside(path, "-wal")).map_err(as_sqlite);
    let ended = connection.execute_batch("ROLLBACK");
    rewritten.and(ended)
}

/// SQLite's locks are on other files, so that opening and closing this one releases none of them.
fn rewrite(log: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let (mut at, mut piece) = (0, vec![0; PIECE_BYTES]);
    loop {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            break;
        }
        file.write_all_at(&piece[..read], at)?;
        at += read as u64;
    }
    if at == 0 { Ok(()) } else { file.sync_all() }
}

fn path_of(connection: &Connection) -> PathBuf {
    PathBuf::from(connection.path().unwrap_or_default())
}

/// As SQLite would report it, so that it is sorted as its errors are.
fn as_sqlite(error: io::Error) -> rusqlite::Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => rusqlite::ffi::SQLITE_FULL,
        io::ErrorKind::PermissionDenied => rusqlite::ffi::SQLITE_PERM,
        io::ErrorKind::ReadOnlyFilesystem => rusqlite::ffi::SQLITE_READONLY,
        _ => rusqlite::ffi::SQLITE_IOERR,
    };
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::{Format, open, open_read_only};
    use super::*;

    const FORMAT: Format = Format { name: "trail", application_id: 7, migrations: &["CREATE TABLE a (x)"] };

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM a", (), |row| row.get(0)).expect("counted")
    }

    #[test]
    fn a_reader_holds_a_checkpoint_back_and_that_is_said() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("t.db");
        let writer = open(&path, &FORMAT).expect("created");
        writer.execute_batch("INSERT INTO a VALUES (1)").expect("written");
        let reader = open_read_only(&path, &FORMAT).expect("opened");
        reader.execute_batch("BEGIN; SELECT * FROM a").expect("reads");
        writer.execute_batch("INSERT INTO a VALUES (2)").expect("written");
        assert_eq!(settle(&writer), Ok(Checkpoint::HeldBack));
        let other = open(&path, &FORMAT).expect("opened beside them, and the log rewritten");
        assert_eq!((rows(&other), rows(&reader)), (2, 1));
        reader.execute_batch("COMMIT").expect("ends");
        assert_eq!(settle(&writer), Ok(Checkpoint::Complete));
        assert_eq!(beside(&path, "-wal").metadata().expect("there").len(), 0);
    }

    #[test]
    fn a_marked_log_is_kept_until_one_process_has_the_file_alone() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("t.db");
        let writer = open(&path, &FORMAT).expect("created");
        writer.execute_batch("INSERT INTO a VALUES (1)").expect("written");
        fs::write(beside(&path, MARKER), "").expect("marked");
        assert_eq!(settle(&writer), Ok(Checkpoint::HeldBack));
        assert_eq!(empty_log(&writer), Ok(false));
        let second = open(&path, &FORMAT).expect("opened, although another one has it open");
        assert!(beside(&path, MARKER).exists());
        abandon(writer);
        abandon(second);
        let alone = open(&path, &FORMAT).expect("recovered");
        assert!(!beside(&path, MARKER).exists());
        assert_eq!(rows(&alone), 1);
        assert_eq!(settle(&alone), Ok(Checkpoint::Complete));
    }
}
