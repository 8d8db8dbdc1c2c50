//! A database copied while others write it, and a copy looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::open::connect_read_only;
use super::{Format, OpenError};
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

/// Refuses a copy whose tables, indexes, views or triggers are not those that its format's migrations make.
pub(crate) fn verify_schema(path: &Path, format: &Format) -> Result<(), OpenError> {
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let copy = read_only(path)?;
    let version: i64 = copy.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(of)?;
    let known = format.migrations.len();
    let steps = usize::try_from(version).ok().and_then(|version| format.migrations.get(..version));
    let steps = steps.ok_or(OpenError::Newer { path: path.to_owned(), name: format.name, found: version, known })?;
    let fresh = || -> rusqlite::Result<_> {
        let fresh = Connection::open_in_memory()?;
        steps.iter().try_for_each(|step| fresh.execute_batch(step))?;
        schema(&fresh)
    };
    if schema(&copy).map_err(of)? == fresh().map_err(of)? {
        return Ok(());
    }
    Err(OpenError::Schema { path: path.to_owned(), name: format.name })
}

/// Type, name, table and definition of one thing in a database.
type SchemaEntry = (String, String, String, Option<String>);

/// All that was created in a database. Tables that SQLite keeps for itself have the names it reserves.
fn schema(connection: &Connection) -> rusqlite::Result<BTreeSet<SchemaEntry>> {
    let all = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = connection.prepare(all)?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

fn read_only(path: &Path) -> Result<Connection, OpenError> {
    let of = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let connection = connect_read_only(path)?;
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
    use super::super::open;
    use super::*;

    const FORMAT: Format = Format {
        name: "trail",
        application_id: 0x4d54_0001,
        migrations: &["CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)"],
    };

    const NEWER: Format = Format {
        migrations: &["CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)", "CREATE TABLE b (x)"],
        ..FORMAT
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

    #[test]
    fn only_the_tables_of_the_format_are_accepted() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("a.db");
        let older = open(&path, &FORMAT).expect("created");
        verify_schema(&path, &NEWER).expect("an earlier version of the format");
        for planted in [
            "CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT raise(IGNORE); END",
            "CREATE VIEW v AS SELECT 1",
            "CREATE TABLE b (x)",
            "CREATE INDEX i ON a (x)",
            "ALTER TABLE a ADD COLUMN y",
            "DROP TABLE a",
        ] {
            older.execute_batch(&format!("BEGIN; {planted}; COMMIT")).expect(planted);
            assert!(matches!(verify_schema(&path, &NEWER), Err(OpenError::Schema { .. })), "{planted}");
            if let Some(undo) = planted.strip_prefix("CREATE ") {
                let mut words = undo.split(' ');
                let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                older.execute_batch(&format!("DROP {kind} {name}")).expect("undone");
            }
        }
    }
}
