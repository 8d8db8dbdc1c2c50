//! Months of the trail as files, proven before anything is removed from it.

pub mod parquet;
