//! Protected batches, durable before the 200, gone when drained.

pub mod record;

pub use record::Record;
