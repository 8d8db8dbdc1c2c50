//! Why the trail cannot be written.

use super::identity::IdentityError;
use crate::database::{OpenError, Trouble};

/// Why something was not written to the trail. Nothing of its transaction was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrailError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The keys are not those of this trail.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Somebody was forgotten, and without the keys their events cannot be told from others'.
    #[error("addresses were forgotten in this store: it can be written with its key file alone")]
    KeysUnknown,
    /// SQLite refused.
    #[error("the trail cannot be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl TrailError {
    pub(super) fn is_content(&self) -> bool {
        matches!(self, TrailError::Sqlite(error) if Trouble::of(error) == Trouble::Content)
    }
}
