//! What `doctor` wants to know of a trail, at a bounded cost.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::error::TrailError;
use super::identity;
use super::trail::FORMAT;
use crate::database;
use crate::store::keys::Identity;

/// How many of the newest events are looked at for their types.
pub const EVENTS_LOOKED_AT: u32 = 100_000;

/// A trail seen from outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Trail {
    /// Version of its tables.
    pub version: i64,
    /// How many items are in quarantine.
    pub quarantined: i64,
    /// When the newest event came in, µs since the epoch.
    pub last_received_at: Option<i64>,
    /// Types of the newest events.
    pub seen: Vec<String>,
}

/// Looks at a trail without writing to it.
///
/// # Errors
/// When the file is no trail of this version or cannot be read.
pub fn trail(path: &Path) -> Result<Trail, TrailError> {
    let sql = database::open_read_only(path, &FORMAT)?;
    Ok(look(&sql)?)
}

/// Whether keys are those of a trail; writes nothing.
///
/// # Errors
/// When they are not, or the trail cannot be read.
pub fn keys_fit(path: &Path, keys: &Identity) -> Result<(), TrailError> {
    identity::check(&database::open_read_only(path, &FORMAT)?, keys)
}

fn look(sql: &Connection) -> rusqlite::Result<Trail> {
    let newest = "SELECT received_at FROM event ORDER BY id DESC LIMIT 1";
    let types = "SELECT DISTINCT event FROM (SELECT event FROM event ORDER BY id DESC LIMIT ?1)";
    Ok(Trail {
        version: sql.pragma_query_value(None, "user_version", |row| row.get(0))?,
        quarantined: sql.query_row("SELECT count(*) FROM quarantine", (), |row| row.get(0))?,
        last_received_at: sql.query_row(newest, (), |row| row.get(0)).optional()?,
        seen: sql.prepare(types)?.query_map([EVENTS_LOOKED_AT], |row| row.get(0))?.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::Keys as _;
    use crate::store::testing::{PlainKeys, plain_seal, record};

    #[test]
    fn a_trail_is_seen_from_outside_and_not_changed() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mail.db");
        assert!(trail(&path).is_err(), "there is none yet");
        assert!(!path.exists(), "looking creates nothing");

        let mut writer = super::super::Trail::open(&path).expect("opens");
        let empty = trail(&path).expect("readable");
        assert_eq!((empty.version, empty.quarantined, empty.last_received_at, empty.seen.len()), (2, 0, None, 0));

        writer.append(&[record(0..20)], &plain_seal).expect("appended");
        let mut full = trail(&path).expect("readable");
        full.seen.sort();
        assert_eq!(full.seen, ["bounce", "delivered"]);
        assert_eq!(full.last_received_at, Some(1_780_000_100_000_000));

        writer.adopt(&PlainKeys.identity()).expect("adopted");
        keys_fit(&path, &PlainKeys.identity()).expect("the same keys");
        let other = Identity { key_id: "key-2".into(), ..PlainKeys.identity() };
        assert!(matches!(keys_fit(&path, &other), Err(TrailError::Identity(_))));
    }
}
