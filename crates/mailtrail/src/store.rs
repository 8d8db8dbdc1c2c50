//! The trail and the quarantine. SQL and row types stay inside.

mod drain;
pub mod keeper;
pub mod lock;
pub mod paths;
pub mod sqlite;
#[cfg(test)]
mod testing;

pub use keeper::{Keeper, KeeperOptions, KeeperState, StartError};
pub use paths::Paths;
