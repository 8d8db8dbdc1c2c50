//! The ledger in BigQuery. Steps are appended by the Storage Write API: what is acknowledged is what every query from then on
//! sees. Who may send a run is said by a lock (`lock.rs`).
//!
//! A sender writes that a request is under way, then looks whether the run is still its own, and only then makes the request.
//! Whoever takes a run over names itself first and reads the steps then. So of two senders of one run, either the first one sees
//! that it lost the run, or the second one sees that the request may have been made: never is an address mailed by both.

mod held;
mod read;
mod run;
mod sql;
mod step;

pub(super) use held::HeldRun;
pub(super) use read::RunReader;
pub(super) use run::{holder, note_sandbox};
