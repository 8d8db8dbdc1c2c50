//! A database copied while others write it, and a copy looked at.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::OpenError;
use super::open::BUSY_TIMEOUT;
use crate::files;

/// The upper half of every `application_id` of ours: `MT`.
const OURS: i64 = 0x4d54;

/// What a copy holds, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// Version of the tables.
    pub(crate) format: i64,
    /// Rows by table.
    pub(crate) rows: BTreeMap<String, i64>,
}

/// Copies the database as it is at one moment, without what is left of deleted rows; durable when this returns. `to` must
/// not be there yet.
pub(crate) fn snapshot(from: &Path, to: &Path) -> Result<(), OpenError> {
    let of = |source| OpenError::Sqlite { path: from.to_owned(), source };
    let connection = read_only(from)?;
    check_ours(&connection, from)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(of)?;
    let synced =
        File::open(to).and_then(|file| file.sync_all()).and_then(|()| files::sync_folder(files::folder_of(to)));
    synced.map_err(|source| OpenError::Io { path: to.to_owned(), source })
}

/// Reads a copy through, every page and every index of it.
pub(crate) fn verify(path: &Path) -> Result<Content, OpenError> {
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let connection = read_only(path)?;
    check_ours(&connection, path)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0)).map_err(of)?;
    if verdict != "ok" {
        let source = io::Error::new(io::ErrorKind::InvalidData, verdict);
        return Err(OpenError::Io { path: path.to_owned(), source });
    }
    let content = || {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let names: Vec<String> =
            connection.prepare(tables)?.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let mut rows = BTreeMap::new();
        for name in names {
            let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
            let count = connection.query_row(&count, (), |row| row.get(0))?;
            rows.insert(name, count);
        }
        Ok(Content { format: connection.pragma_query_value(None, "user_version", |row| row.get(0))?, rows })
    };
    content().map_err(of)
}

fn read_only(path: &Path) -> Result<Connection, OpenError> {
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(of)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(of)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(of)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(of)?;
    Ok(connection)
}

fn check_ours(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let application: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
    if application >> 16 == OURS { Ok(()) } else { Err(OpenError::Foreign { path: path.to_owned(), name: "file" }) }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, open};
    use super::*;

    const FORMAT: Format = Format {
        name: "trail",
        application_id: 0x4d54_0001,
        migrations: &["CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)"],
    };

    #[test]
    fn a_copy_is_of_one_moment_has_the_next_id_and_nothing_deleted() {
        let temp = tempfile::tempdir().expect("a folder");
        let (from, to) = (temp.path().join("a.db"), temp.path().join("copy.db"));
        let writer = open(&from, &FORMAT).expect("created");
        writer.execute_batch("INSERT INTO a (x) VALUES ('kept'), ('secretly deleted')").expect("written");
        writer.execute_batch("DELETE FROM a WHERE id = 2; BEGIN; INSERT INTO a (x) VALUES ('open')").expect("written");
        snapshot(&from, &to).expect("copied beside an open transaction");
        let content = verify(&to).expect("sound");
        assert_eq!((content.format, content.rows.get("a")), (1, Some(&1)));
        let bytes = std::fs::read(&to).expect("read");
        assert!(!bytes.windows(6).any(|window| window == b"delete" || window == b"secret"));
        assert!(snapshot(&from, &to).is_err(), "a copy is never overwritten");
        let copy = open(&to, &FORMAT).expect("opened");
        copy.execute_batch("INSERT INTO a (x) VALUES ('new')").expect("written");
        assert_eq!(copy.last_insert_rowid(), 3, "ids are never used again");
    }

    #[test]
    fn damage_and_other_programs_files_are_told() {
        let temp = tempfile::tempdir().expect("a folder");
        let (from, to) = (temp.path().join("a.db"), temp.path().join("copy.db"));
        let writer = open(&from, &FORMAT).expect("created");
        for _ in 0..300 {
            writer.execute("INSERT INTO a (x) VALUES (?1)", ["x".repeat(100)]).expect("written");
        }
        snapshot(&from, &to).expect("copied");
        let mut bytes = std::fs::read(&to).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].fill(7);
        std::fs::write(&to, bytes).expect("written");
        assert!(verify(&to).is_err());
        let theirs = temp.path().join("theirs.db");
        Connection::open(&theirs).and_then(|c| c.execute_batch("CREATE TABLE t (x)")).expect("made");
        assert!(matches!(snapshot(&theirs, &temp.path().join("x.db")), Err(OpenError::Foreign { .. })));
    }
}
