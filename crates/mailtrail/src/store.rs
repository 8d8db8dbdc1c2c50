//! The trail and the quarantine. SQL and row types stay inside.

pub mod paths;
pub mod sqlite;

pub use paths::Paths;
