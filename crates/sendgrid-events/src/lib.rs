#![doc = include_str!("../README.md")]

pub mod signature;

pub mod batch;
pub mod elements;
mod reader;
mod scan;
mod split;

pub mod event;
mod fields;
pub mod ids;
pub mod timestamp;
pub mod value;

pub use batch::{Batch, Item, Items, Reject, Rejected};
pub use event::{EVENT_NAMES, Event};
pub use ids::MessageId;
pub use signature::{KeyId, PublicKey};
pub use timestamp::Timestamp;
pub use value::Value;
