//! `[store]`: where events are kept.

use std::path::PathBuf;

use super::reader::Reader;

/// `[store] kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Files on this machine.
    Sqlite,
    /// BigQuery, and nothing on this machine.
    BigQuery,
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct Store {
    /// What keeps the events.
    pub kind: StoreKind,
    /// The trail's database file; spool and lock stand beside it.
    pub path: PathBuf,
    /// Largest backlog in the spool, bytes; beyond it 503.
    pub max_backlog: u64,
    /// Most that waits for the consumers of `[[relay]]`, bytes; beyond it the oldest is given up.
    pub max_relay: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Store {
    let kinds = [("sqlite", StoreKind::Sqlite), ("bigquery", StoreKind::BigQuery)];
    Store {
        kind: reader.choice("store.kind", &kinds).unwrap_or(StoreKind::Sqlite),
        path: reader.path_or("store.path", "mailtrail.db"),
        max_backlog: reader.size("store.max_backlog", 4 << 30, "4GiB"),
        max_relay: reader.size("store.max_relay", 1 << 30, "1GiB"),
    }
}
