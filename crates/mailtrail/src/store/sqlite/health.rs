//! What `doctor` wants to know of a trail, at a bounded cost.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::error::TrailError;
use super::trail::FORMAT;
use super::unproven::Unproven;
use super::{identity, prune};
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
    /// Events before this time may be missing since they were pruned, µs since the epoch.
    pub pruned_until: Option<i64>,
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

/// How fast a trail grows, in bytes a day: what its events take on average, at the pace of the last seven days; `None` in its
/// first hour. Finds the time among the ids, so that its cost does not grow with the trail.
///
/// # Errors
/// When the file is no trail of this version or cannot be read.
pub fn growth(path: &Path, now: i64) -> Result<Option<f64>, TrailError> {
    const HOUR: i64 = 3_600 * 1_000_000;
    const DAY: i64 = 24 * HOUR;
    let sql = database::open_read_only(path, &FORMAT)?;
    let end = |order: &str| {
        let statement = format!("SELECT id, received_at FROM event ORDER BY id {order} LIMIT 1");
        sql.query_row(&statement, (), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()
    };
    let (Some((first, begun)), Some((last, _))) = (end("ASC")?, end("DESC")?) else { return Ok(None) };
    let window = (now - begun).min(7 * DAY);
    if window < HOUR {
        return Ok(None);
    }
    // Ids are given as events come in.
    let mut at = sql.prepare("SELECT received_at FROM event WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let received: i64 = at.query_row([middle], |row| row.get(0))?;
        if received < now - window { low = middle + 1 } else { high = middle }
    }
    let pragma = |name| sql.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    // Pages of events that were pruned hold nothing.
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    let bytes_an_event = pages as f64 * pragma("page_size")? as f64 / (last - first + 1) as f64;
    Ok(Some(bytes_an_event * (last + 1 - low) as f64 / (window as f64 / DAY as f64)))
}

/// How many of the newest [`EVENTS_LOOKED_AT`] events no signature vouches for, since the first public key was configured.
///
/// # Errors
/// When the file is no trail of this version or cannot be read.
pub fn unverified(path: &Path) -> Result<u64, TrailError> {
    super::Trail::look(path)?.count_unproven(Unproven::Unverified, Some(EVENTS_LOOKED_AT))
}

fn look(sql: &Connection) -> rusqlite::Result<Trail> {
    let newest = "SELECT received_at FROM event ORDER BY id DESC LIMIT 1";
    let types = "SELECT DISTINCT event FROM (SELECT event FROM event ORDER BY id DESC LIMIT ?1)";
    Ok(Trail {
        version: sql.pragma_query_value(None, "user_version", |row| row.get(0))?,
        quarantined: sql.query_row("SELECT count(*) FROM quarantine", (), |row| row.get(0))?,
        last_received_at: sql.query_row(newest, (), |row| row.get(0)).optional()?,
        seen: sql.prepare(types)?.query_map([EVENTS_LOOKED_AT], |row| row.get(0))?.collect::<Result<_, _>>()?,
        pruned_until: prune::pruned_until(sql)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::Keys as _;
    use crate::store::testing::{PlainKeys, batch, encode, plain_seal, record};

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

    #[test]
    fn what_was_pruned_does_not_count_as_growth() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mail.db");
        let mut writer = super::super::Trail::open(&path).expect("opens");
        let now = 1_780_000_000_000_000;
        for (days_ago, events) in [(40, 0..4_000), (2, 4_000..4_400)] {
            let mut rows = batch(events);
            rows.received_at = now - days_ago * 86_400 * 1_000_000;
            writer.append(&[encode(rows)], &plain_seal).expect("appended");
        }
        writer.settle().expect("settled");
        let before = growth(&path, now).expect("readable").expect("known");
        writer.remove_events(&(1..4_000).collect::<Vec<_>>()).expect("removed");
        writer.settle().expect("settled");
        let after = growth(&path, now).expect("readable").expect("known");
        assert!(after < before * 4.0, "{after} after {before}: the file is as long as before, and mostly free");
    }

    #[test]
    fn growth_is_that_of_the_last_seven_days() {
        const DAY: i64 = 86_400 * 1_000_000;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mail.db");
        let mut writer = super::super::Trail::open(&path).expect("opens");
        let now = 1_780_000_000_000_000;
        assert_eq!(growth(&path, now).expect("readable"), None, "nothing came in");
        let mut append = |received_at: i64, events: std::ops::Range<u64>| {
            let mut rows = batch(events);
            rows.received_at = received_at;
            writer.append(&[encode(rows)], &plain_seal).expect("appended");
        };
        append(now - DAY / 48, 0..10);
        assert_eq!(growth(&path, now).expect("readable"), None, "half an hour says nothing");
        drop(dir);

        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mail.db");
        let mut writer = super::super::Trail::open(&path).expect("opens");
        for (days_ago, events) in [(30, 0..300), (6, 300..650), (2, 650..1_000)] {
            let mut rows = batch(events);
            rows.received_at = now - days_ago * DAY;
            writer.append(&[encode(rows)], &plain_seal).expect("appended");
        }
        writer.settle().expect("settled");
        let size = std::fs::metadata(&path).expect("there").len() as f64;
        let expected = size * 0.7 / 7.0;
        let found = growth(&path, now).expect("readable").expect("known");
        assert!((found - expected).abs() < 1.0, "{found} instead of {expected}");
        assert_eq!(growth(&path, now + 30 * DAY).expect("readable"), Some(0.0), "nothing came in for a month");
    }
}
