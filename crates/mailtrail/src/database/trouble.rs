//! What an error of SQLite means for the one who met it.

use rusqlite::{Error, ErrorCode};

/// Kinds of trouble, by what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// This row cannot be stored, whatever is tried; others can.
    Content,
    /// Disk full, busy, no permission: the file is sound and the same write may succeed later.
    Passing,
    /// An I/O error or damage: what the file holds from here on is not to be relied on.
    File,
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
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::InternalMalfunction
                | ErrorCode::FileLockingProtocolFailed => Trouble::File,
                _ => Trouble::Passing,
            },
            Error::ToSqlConversionFailure(_) => Trouble::Content,
            _ => Trouble::Passing,
        }
    }
}
