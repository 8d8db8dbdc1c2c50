//! What an error of SQLite means for the one who met it.

use rusqlite::{Error, ErrorCode};

/// Kinds of trouble, by what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// This row cannot be stored, whatever is tried; others can.
    Content,
    /// Disk full, busy, no permission: the file is sound and the same write may succeed later.
    Passing,
    /// The device failed: nothing written through this connection since its last successful sync is trusted. What is in the file
    /// may be sound, and is to be opened again.
    Io,
    /// The content is not that of a database.
    Damage,
}

impl Trouble {
    /// Sorts an error. What is not known to be the content's fault never counts as such.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::ConstraintViolation
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange => Trouble::Content,
                ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => Trouble::Io,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::InternalMalfunction => {
                    Trouble::Damage
                }
                _ => Trouble::Passing,
            },
            Error::ToSqlConversionFailure(_) => Trouble::Content,
            _ => Trouble::Passing,
        }
    }

    /// Whether the file, as this connection has it, is not to be relied on.
    pub(crate) fn is_of_file(self) -> bool {
        matches!(self, Trouble::Io | Trouble::Damage)
    }
}
