//! The embedded store.

mod append;
mod delete;
mod error;
mod forget;
mod forgotten;
mod forwarded;
pub mod health;
mod identity;
mod intern;
mod left_out;
mod meta;
mod prune;
mod quarantine;
pub mod read;
mod restored;
pub mod sql;
mod statements;
mod trail;
mod unproven;

pub use append::Appended;
pub(super) use append::message_digest;
pub(super) use append::{ID_COLLISION, is_record};
pub use delete::Deleted;
pub use error::TrailError;
pub(crate) use forgotten::without_people;
pub(in crate::store) use forwarded::FORMAT as FORWARDED_FORMAT;
pub use forwarded::{Forwarded, RefusedEvent};
pub use identity::IdentityError;
pub use read::{ReadError, Reader};
pub(super) use restored::{restored_from, set_restored_from};
pub(in crate::store) use trail::FORMAT;
pub use trail::Trail;
pub use unproven::Unproven;
