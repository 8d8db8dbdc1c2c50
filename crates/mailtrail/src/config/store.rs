//! `[store]`: where events are kept.

use std::path::PathBuf;

/// `[store]` with `kind = "sqlite"`.
#[derive(Debug, Clone)]
pub struct Store {
    /// The trail's database file; spool and lock stand beside it.
    pub path: PathBuf,
    /// Largest backlog in the spool, bytes; beyond it 503.
    pub max_backlog: u64,
}
