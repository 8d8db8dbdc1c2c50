//! Mails a run's recipients, each at most once.
//!
//! [`choose`] says whom, by pure rules over what the ledger knows; [`Sending`] takes each request through the ledger: claimed,
//! sending, then what SendGrid said. Nothing is sent that is not on disk first, and nothing whose outcome is unknown is sent again.

mod choose;
mod refusal;
mod sandbox;
mod sending;

pub use choose::{Choice, Chosen, Hashes, Rules, Skip, Skipped, choose};
pub use refusal::RowRefusal;
pub use sandbox::validate;
pub use sending::{Requested, SendError, Sending, Summary, Why};
