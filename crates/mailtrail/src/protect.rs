//! The last room that sees an address: an event goes in, a row without plain addresses comes out.

pub mod row;

pub use row::{AddressRow, BatchRow, EventRow, ProtectedBatch, SealedRow};
