//! The embedded store.

mod append;
mod error;
mod forget;
mod forgotten;
mod forwarded;
pub mod health;
mod identity;
mod intern;
mod meta;
mod quarantine;
pub mod read;
mod restored;
pub mod sql;
mod statements;
mod trail;

pub use append::Appended;
pub(super) use append::UNDRAINABLE;
pub(super) use append::message_digest;
pub use error::TrailError;
pub use forget::{Deleted, Unproven};
pub use forwarded::{Forwarded, RefusedEvent};
pub use identity::IdentityError;
pub use read::{ReadError, Reader};
pub(super) use restored::{restored_from, set_restored_from};
pub use trail::Trail;
