//! What spool and trail have in common as files: SQLite in WAL mode, for the owner's eyes alone, of a known format, and
//! checkpointed by hand so that no error of a checkpoint goes unseen (SQLite swallows those of its automatic ones).

mod files;
mod open;
mod snapshot;
mod temporary;
mod tracked;
mod trouble;
mod wal;

pub(crate) use files::remove_database;
pub use open::OpenError;
pub(crate) use open::{Format, open, open_read_only};
pub(crate) use snapshot::{snapshot, verify, verify_schema};
pub(crate) use temporary::Temporary;
pub use tracked::Replaced;
pub(crate) use tracked::{TrackedFiles, check_folder};
pub(crate) use trouble::Trouble;
pub(crate) use wal::{Wal, abandon, empty_log, settle};
