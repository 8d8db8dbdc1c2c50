//! The trail and the quarantine. SQL and row types stay inside.

pub mod backup;
pub mod bigquery;
mod drain;
pub mod forget;
mod hex;
pub mod keeper;
pub mod keys;
pub mod ledger;
pub mod lock;
pub mod outcomes;
pub mod paths;
pub mod places;
mod priority;
pub mod query;
pub mod questions;
pub mod relay;
pub mod remote;
pub mod replay;
pub mod restore;
pub mod restored;
mod scrub;
pub mod sends;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod testing;

pub use keeper::{Keeper, KeeperOptions, KeeperState, StartError};
pub use paths::Paths;
pub use places::{Places, PlacesError};
pub use priority::give_way;
