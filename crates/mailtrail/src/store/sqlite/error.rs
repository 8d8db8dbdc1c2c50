//! Why the trail cannot be written.

use std::path::PathBuf;

use super::identity::IdentityError;
use crate::database::{OpenError, Replaced, Trouble};

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
    /// A restore was interrupted.
    #[error("{path} is not there yet, because a restore was interrupted: run `mailtrail restore` again")]
    Restoring {
        /// The trail.
        path: PathBuf,
    },
    /// The file was replaced.
    #[error(transparent)]
    Replaced(#[from] Replaced),
    /// SQLite refused.
    #[error("the trail cannot be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl TrailError {
    /// Whether the trail is to be opened again before it is written.
    pub(crate) fn is_of_file(&self) -> bool {
        matches!(self, TrailError::Sqlite(error) if Trouble::of(error).is_of_file())
    }

    pub(super) fn is_content(&self) -> bool {
        matches!(self, TrailError::Sqlite(error) if Trouble::of(error) == Trouble::Content)
    }
}
