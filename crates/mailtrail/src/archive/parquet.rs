//! Events as Parquet, and back: the columns of the design, lists as lists, times as timestamps, JSON as text.

mod batches;
mod read;
mod schema;
mod write;

pub use batches::Batches;
pub use read::{Key, Keys, Records};
pub use write::{Form, Writer};

/// Why a file cannot be written or read as events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// It is no Parquet file, is damaged, or cannot be written.
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// It says of itself what cannot be.
    #[error("it is damaged: parts of it are not where it says they are")]
    Damaged,
    /// Its columns and rows do not go together.
    #[error("{0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// It holds something else than events.
    #[error("column {column} is missing or holds something else than events have there")]
    Column {
        /// Which.
        column: &'static str,
    },
}

#[cfg(test)]
mod tests;
