//! Months of the trail as Parquet files, and the trail pruned of what is proven to be kept elsewhere.
//!
//! A month's file is written under another name, synced, read back and compared; then the manifest names it, durably; then it
//! gets its name; and only what a sound file of the manifest holds is removed from the trail, event by event. So after a kill at
//! any point each event is in the archive or in the trail, and the same command goes on.

mod folder;
mod forget;
mod manifest;
mod month;
mod names;
pub mod parquet;
mod proof;
mod prune;
mod tally;
mod write;

pub use folder::Folder;
pub use forget::{Forgotten, forget};
pub use manifest::{Entry, Manifest};
pub use month::Month;
pub use proof::{Forwarding, Rules, Survey};
pub use prune::{Pruned, YOUNGEST, give_back, prune, survey, young};
pub use write::archive;

use std::io;
use std::path::{Path, PathBuf};

use crate::store::sqlite::{ReadError, TrailError};
use parquet::FormError;

/// Why something is not archived or pruned. What was done stays done, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A Parquet file.
    #[error("{path}: {source}")]
    Form {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FormError,
    },
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The trail cannot be written.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// Another process works in the folder.
    #[error("another mailtrail archives to {path} or reads it: wait until it is done")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// No archive, or a damaged one.
    #[error("{path} is no sound archive: {why}")]
    Unsound {
        /// The folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// An archive of another store.
    #[error("{path} holds events of other keys than [privacy] key_file: archive to another folder")]
    OtherKeys {
        /// The folder.
        path: PathBuf,
    },
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::Io { path: path.to_owned(), source }
}

fn form_at(path: &Path) -> impl Fn(FormError) -> ArchiveError + '_ {
    move |source| ArchiveError::Form { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
