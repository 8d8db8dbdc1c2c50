//! The files of a database.

use std::io;
use std::path::Path;

use crate::files::{beside, create_private, folder_of, remove_if_there, sync_folder};

/// Creates a database file, empty and durable, where it is missing. One that is there is not opened: closing it would release the
/// locks that SQLite holds on it in this process.
pub(super) fn create_database(path: &Path) -> io::Result<()> {
    match path.try_exists()? {
        true => Ok(()),
        false => create_private(path).map(drop),
    }
}

/// Removes a database and what SQLite keeps beside it.
pub(crate) fn remove_database(path: &Path) -> io::Result<()> {
    for suffix in ["", "-journal", "-wal", "-shm", "-unsynced"] {
        remove_if_there(&beside(path, suffix))?;
    }
    sync_folder(folder_of(path))
}
