//! Where SQLite keeps what does not fit into its caches while it sorts or rewrites: beside the database, where there is room for it, or
//! in memory. Its own choice, /tmp, may be missing or small, as in containers with a read-only root.

use std::path::Path;
use std::sync::OnceLock;

use rusqlite::Connection;

use crate::files::folder_of;

/// Where temporary data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temporary {
    /// Into files without a name in the database's folder.
    Beside,
    /// Nothing can be written there.
    InMemory,
}

impl Temporary {
    /// For a database.
    pub(crate) fn of(database: &Path) -> Self {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        match rustix::fs::access(folder_of(database), access) {
            Ok(()) => Self::Beside,
            Err(_) => Self::InMemory,
        }
    }
}

/// Says so to SQLite.
pub(super) fn keep_data_at(connection: &Connection, database: &Path) -> rusqlite::Result<()> {
    // SQLite has one folder for the whole process. All databases of a store lie in one; where it is gone, SQLite looks for another.
    static FOLDER: OnceLock<rusqlite::Result<()>> = OnceLock::new();
    if Temporary::of(database) == Temporary::Beside {
        let folder = folder_of(database).canonicalize().unwrap_or_else(|_| folder_of(database).to_owned());
        let set = || connection.pragma_update(None, "temp_store_directory", folder.to_string_lossy());
        if FOLDER.get_or_init(set).is_ok() {
            return Ok(());
        }
    }
    connection.pragma_update(None, "temp_store", "MEMORY")
}
