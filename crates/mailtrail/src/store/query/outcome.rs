//! What became of everybody whom some mail went to.

use super::{Filter, RecipientStatus, Scope};

/// Whose outcomes.
#[derive(Debug, Clone)]
pub struct Mailed {
    /// Of which mail.
    pub scope: Scope,
    /// Event time, µs since the epoch: not before.
    pub since: Option<i64>,
    /// Event time, µs since the epoch: before.
    pub until: Option<i64>,
    /// Whether events count that nothing vouches for, although a public key was configured when they came in.
    pub unproven: bool,
}

impl Mailed {
    /// Its events.
    pub(in crate::store) fn filter(&self) -> Filter {
        let mut filter = Filter { since: self.since, until: self.until, ..Filter::default() };
        match &self.scope {
            Scope::Category(name) => filter.categories.push(name.clone()),
            Scope::Run(name) => filter.runs.push(name.clone()),
        }
        filter
    }
}

/// What became of one recipient, as far as events tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// Tells recipients apart, within this trail.
    pub address: i64,
    /// The address's domain, where it is kept.
    pub domain: Option<String>,
    /// Whether an event of the run came from SendGrid for certain: by its signature or its API. Of a run alone; false else.
    pub proven: bool,
    /// Whether there is more than SendGrid's word that it did not send.
    pub mailed: bool,
    /// What became of the newest message.
    pub status: RecipientStatus,
}
