//! `[store]`: where events are kept.

use std::path::PathBuf;

use super::reader::Reader;

/// `[store]` with `kind = "sqlite"`.
#[derive(Debug, Clone)]
pub struct Store {
    /// The trail's database file; spool and lock stand beside it.
    pub path: PathBuf,
    /// Largest backlog in the spool, bytes; beyond it 503.
    pub max_backlog: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Store {
    match reader.text("store.kind").as_deref() {
        None | Some("sqlite") => {}
        Some("bigquery") => reader.problem(
            "store.kind",
            "\"bigquery\" is for a later version, this one does not have it yet: use \"sqlite\"",
        ),
        Some(_) => reader.problem("store.kind", "must be \"sqlite\""),
    }
    Store {
        path: reader.path_or("store.path", "mailtrail.db"),
        max_backlog: reader.size("store.max_backlog", 4 << 30, "4GiB"),
    }
}
