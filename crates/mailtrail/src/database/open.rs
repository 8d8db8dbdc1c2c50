//! Opening a database of a known format: created, migrated, or refused with what to do.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Trouble, files, temporary, wal};
use crate::files::beside;

/// How long a writer waits for another one.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How a database is opened that this process writes.
pub(super) const WRITING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// A kind of database file and the steps from nothing to its newest format. Steps are only ever added.
pub(crate) struct Format {
    /// For people: `trail`, `spool`.
    pub(crate) name: &'static str,
    /// SQLite's `application_id`, so that another program's file is never taken for ours.
    pub(crate) application_id: i32,
    /// `user_version` counts how many of these a file has.
    pub(crate) migrations: &'static [&'static str],
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created or read.
    #[error("cannot open {path}: {source}. Check that the folder exists and belongs to the user that runs mailtrail")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refuses it.
    #[error(
        "cannot open {path} as a database: {source}. If the disk is full or read-only, mend that; if the file is damaged, restore it from a backup"
    )]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// On a read-only file system, with a log.
    #[error(
        "{path} has a log (-wal) that is not in the database yet, and lies on a file system that is mounted read-only. Start `mailtrail serve` on it once and stop it before it is mounted read-only, or copy the files elsewhere"
    )]
    LogOnReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// Tables, indexes, views or triggers that the format does not have.
    #[error(
        "{path} has tables, indexes, views or triggers that a mailtrail {name} does not have, or lacks some: it was changed by another program. Use another backup"
    )]
    Schema {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        name: &'static str,
    },
    /// SQLite did not switch to write-ahead logging.
    #[error(
        "{path} stays in journal mode {mode}, in which a commit would not be durable: the switch to write-ahead logging failed. Check the disk, then start again"
    )]
    Journal {
        /// Which file.
        path: PathBuf,
        /// SQLite's name of the mode.
        mode: String,
    },
    /// No thread could be started.
    #[error("cannot start a thread: {source}. The limit on processes or memory is reached")]
    Thread {
        /// Why.
        source: io::Error,
    },
    /// Another program's database.
    #[error("{path} is a database, but not a mailtrail {name}. Set `[store] path` to another file")]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        name: &'static str,
    },
    /// Written by a newer version.
    #[error(
        "{path} has {name} format {found}; this mailtrail knows up to {known}. Run the newer mailtrail that wrote it, or restore a backup from before that upgrade"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// What it is.
        name: &'static str,
        /// Its format.
        found: i64,
        /// The newest known one.
        known: usize,
    },
    /// Written by an older version, and opened by a command that only reads.
    #[error(
        "{path} has {name} format {found}; this mailtrail reads {known}. Start `mailtrail serve` once, which brings it up to date"
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// What it is.
        name: &'static str,
        /// Its format.
        found: i64,
        /// The one that is needed.
        known: usize,
    },
}

impl OpenError {
    /// What it means for the file.
    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            OpenError::Sqlite { source, .. } => Trouble::of(source),
            OpenError::Io { source, .. } if source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Trouble::Io
            }
            OpenError::Journal { .. } => Trouble::Io,
            _ => Trouble::Passing,
        }
    }
}

/// Opens `path` for writing; creates it and brings it up to date where needed. What an earlier process left in it is durable when
/// this returns.
pub(crate) fn open(path: &Path, format: &Format) -> Result<Connection, OpenError> {
    // SQLite gives its side files the mode of the database.
    files::create_database(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    wal::recover_marked(path).map_err(of)?;
    let mut connection = Connection::open_with_flags(path, WRITING).map_err(of)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(of)?;
    temporary::keep_data_at(&connection, path).map_err(of)?;
    check(&connection, path, format, Missing::Fine)?;
    let mode = prepare(&connection).map_err(of)?;
    if mode != "wal" {
        return Err(OpenError::Journal { path: path.to_owned(), mode });
    }
    wal::recover(&connection, path).map_err(of)?;
    if migrate(&mut connection, format).map_err(of)? {
        wal::settle(&connection).map_err(of)?;
    }
    Ok(connection)
}

/// Opens `path` for reading; it must be there and up to date.
pub(crate) fn open_read_only(path: &Path, format: &Format) -> Result<Connection, OpenError> {
    let connection = connect_read_only(path)?;
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    temporary::keep_data_at(&connection, path).map_err(of)?;
    check(&connection, path, format, Missing::Refused)?;
    // Whoever only reads leaves checkpoints to the writer, whose errors are looked at.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(of)?;
    Ok(connection)
}

/// On a file system that is mounted read-only SQLite cannot make the index of a log. Without a log there is nothing to index, and
/// nobody changes the file.
pub(super) fn connect_read_only(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let open = |name: &Path, flags| {
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(())).map(|()| connection)
    };
    match open(path, flags) {
        Err(error) if Trouble::of(&error) == Trouble::Passing && path.exists() && is_read_only(path) => {
            if beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
                return Err(OpenError::LogOnReadOnly { path: path.to_owned() });
            }
            open(Path::new(&immutable(path)), flags | OpenFlags::SQLITE_OPEN_URI).map_err(of)
        }
        opened => opened.map_err(of),
    }
}

fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// The file as a URI that says that nothing changes it.
fn immutable(path: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            _ => uri.push(*byte),
        }
    }
    uri.extend_from_slice(b"?immutable=1");
    OsString::from_vec(uri)
}

#[derive(PartialEq, Eq)]
enum Missing {
    Fine,
    Refused,
}

fn check(connection: &Connection, path: &Path, format: &Format, missing: Missing) -> Result<(), OpenError> {
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    // One snapshot: another process may create the file meanwhile.
    let _snapshot = connection.unchecked_transaction().map_err(of)?;
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(of);
    let (application, found) = (number("application_id")?, number("user_version")?);
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(of)?;
    let untouched = application == 0 && found == 0 && objects == 0;
    if !untouched && application != i64::from(format.application_id) {
        return Err(OpenError::Foreign { path: path.to_owned(), name: format.name });
    }
    let known = format.migrations.len();
    let behind = usize::try_from(found).unwrap_or(usize::MAX);
    if behind > known {
        return Err(OpenError::Newer { path: path.to_owned(), name: format.name, found, known });
    }
    if behind < known && missing == Missing::Refused {
        return Err(OpenError::Older { path: path.to_owned(), name: format.name, found, known });
    }
    Ok(())
}

/// Says the journal mode: SQLite reports a failed switch by the mode that stays.
fn prepare(connection: &Connection) -> rusqlite::Result<String> {
    let mode = {
        let mut switch = connection.prepare("PRAGMA journal_mode = WAL")?;
        let (mut rows, mut mode) = (switch.query(())?, String::new());
        // To the end: the switch is committed behind its row, and that is where a failed sync is reported.
        while let Some(row) = rows.next()? {
            mode = row.get(0)?;
        }
        mode
    };
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // By hand: see `Wal`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // A WAL that grew under a long reader shrinks again.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(mode)
}

/// Whether anything was missing.
fn migrate(connection: &mut Connection, format: &Format) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(done).unwrap_or(0);
    let missing = format.migrations.get(done..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(false);
    }
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", format.application_id)?;
    transaction.pragma_update(None, "user_version", i64::try_from(format.migrations.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Format =
        Format { name: "trail", application_id: 7, migrations: &["CREATE TABLE a (x); INSERT INTO a VALUES (1)"] };
    const TWO: Format = Format {
        name: "trail",
        application_id: 7,
        migrations: &["CREATE TABLE a (x); INSERT INTO a VALUES (1)", "ALTER TABLE a ADD COLUMN y DEFAULT 2"],
    };
    const BROKEN: Format = Format {
        name: "trail",
        application_id: 7,
        migrations: &[
            "CREATE TABLE a (x); INSERT INTO a VALUES (1)",
            "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)",
        ],
    };

    #[test]
    fn older_files_are_migrated_and_newer_ones_refused_with_what_to_do() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("t.db");
        drop(open(&path, &ONE).expect("created"));
        assert!(matches!(open_read_only(&path, &TWO), Err(OpenError::Older { found: 1, known: 2, .. })));
        let connection = open(&path, &TWO).expect("migrated");
        let row = connection.query_row("SELECT x, y FROM a", (), |r| Ok((r.get(0)?, r.get(1)?)));
        assert_eq!(row, Ok((1, 2)));
        drop(connection);
        drop(open(&path, &TWO).expect("opened again"));
        drop(open_read_only(&path, &TWO).expect("read"));
        let error = open(&path, &ONE).expect_err("newer");
        assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }));
        assert!(error.to_string().contains("Run the newer mailtrail"), "{error}");
    }

    #[test]
    fn a_failing_migration_leaves_the_file_as_it_was() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("t.db");
        drop(open(&path, &ONE).expect("created"));
        assert!(matches!(open(&path, &BROKEN), Err(OpenError::Sqlite { .. })));
        let connection = open(&path, &ONE).expect("still format 1");
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'b'", (), |r| r.get(0))
            .expect("counted");
        assert_eq!(tables, 0);
    }

    #[test]
    fn another_program_s_file_is_left_alone() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("t.db");
        Connection::open(&path).and_then(|c| c.execute_batch("CREATE TABLE theirs (x)")).expect("made");
        assert!(matches!(open(&path, &ONE), Err(OpenError::Foreign { .. })));
        std::fs::write(temp.path().join("text"), "x".repeat(5000)).expect("written");
        assert!(matches!(open(&temp.path().join("text"), &ONE), Err(OpenError::Sqlite { .. })));
    }

    /// SQLite names the new mode first, and commits the switch behind it.
    #[test]
    fn a_switch_to_write_ahead_logging_that_is_not_committed_is_an_error() {
        let temp = tempfile::tempdir().expect("a folder");
        let mut connection = Connection::open(temp.path().join("t.db")).expect("created");
        connection.commit_hook(Some(|| true)).expect("every commit fails from here on");
        prepare(&connection).expect_err("the mode that SQLite named is not in force");
    }

    /// Two commands may be the first ones on a new store.
    #[test]
    fn a_file_that_another_one_creates_now_is_not_another_program_s() {
        let temp = tempfile::tempdir().expect("a folder");
        for round in 0..40 {
            let path = temp.path().join(format!("{round}.db"));
            let barrier = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        barrier.wait();
                        let opened = open(&path, &TWO).map(drop);
                        assert!(!matches!(opened, Err(OpenError::Foreign { .. })), "{opened:?}");
                    });
                }
            });
        }
    }
}
