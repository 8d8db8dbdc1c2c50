//! What became of a bulk send: who was to get it, what events tell of everybody, and when that is enough.
//!
//! [`Watched`] reads everything once and then only what is new; [`wait`](wait::wait) watches until a verdict. Nothing here tells
//! anybody anything: whoever waits hands in who is told.

pub mod columns;
mod expected;
mod new_key;
mod reason;
mod recipient;
mod report;
mod runs;
mod selector;
mod sent;
mod tracker;
mod unreached;
pub mod wait;
mod watched;

pub use new_key::{AWAITED, NewKeyError, refuse_new_key};
pub use reason::{Reason, Words, enhanced_code, plain};
pub use report::{Details, Report};
pub use runs::{Run, run, run_names, runs, watch};
pub use selector::{OutcomeError, Selector, Unanswerable};
pub use sent::{Blind, Earlier, already_sent, blind, events_up_to, known, latest_of, mailed_before, proven, standings};
pub use tracker::{Known, Tracker};
pub use unreached::{Again, Row, UNREACHED_COLUMNS, soft, unreached};
pub use watched::Watched;

#[cfg(test)]
mod tests;
