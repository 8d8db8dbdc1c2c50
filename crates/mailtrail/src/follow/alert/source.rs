//! Where events to tell of come from, and where it is kept how far they were told: the trail on this machine, or BigQuery.
//!
//! A place is a number that grows with what comes in: an id of the trail, or a time of receipt in µs.

mod dataset;
mod trail;

use std::time::Duration;

pub(super) use dataset::OfDataset;
pub(super) use trail::OfTrail;

use super::rule::Rule;
use crate::store::PlacesError;
use crate::store::bigquery::{BigQueryError, FollowStateError};
use crate::store::query::Brief;
use crate::store::sqlite::ReadError;

/// Why events or places cannot be read or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The places beside it cannot be read or saved.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// BigQuery cannot be asked.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// The places in BigQuery cannot be saved.
    #[error(transparent)]
    State(#[from] FollowStateError),
}

impl SourceError {
    /// Whether another one follows now, so that this one must stop.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::State(FollowStateError::Lost { .. }))
    }
}

/// How often something is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// How soon new events are noticed.
    pub(super) look: Duration,
    /// How often places are saved while there is nothing to tell.
    pub(super) save: Duration,
    /// So long after a start nothing is called silence.
    pub(super) grace: Duration,
}

/// What is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The place up to which all was read.
    pub(super) after: i64,
    /// Only these events; `None`: all.
    pub(super) names: Option<&'a [String]>,
    /// Whether it is to be said when the newest of all events came in.
    pub(super) newest: bool,
}

/// Some of what is new.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) events: Vec<Arrived>,
    /// Up to here all is read now.
    pub(super) read_to: i64,
    /// About how much is left; 0: nothing.
    pub(super) behind: i64,
    /// When the newest event of all came in, where that was asked for and known, µs since the epoch.
    pub(super) newest: Option<i64>,
}

/// An event, its id a place.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) brief: Brief,
    /// Whether it was read before this process began, or would have been. One that was not may stand before a saved place all the
    /// same, where events do not become visible in the order of their places.
    pub(super) known: bool,
}

/// A store, open for the follower of alerts.
pub(super) trait Source {
    fn rhythm(&self) -> Rhythm;

    /// Whether it is to be kept when a rule's events were last heard of: where looking for that is expensive, or a process lives
    /// for a moment.
    fn keeps_heard(&self) -> bool;

    /// The place behind which everything is new.
    async fn end(&mut self) -> Result<i64, SourceError>;

    /// When the newest event of a rule came in, not before `since`, both in µs since the epoch.
    async fn heard(&mut self, rule: &Rule, since: i64) -> Result<Option<i64>, SourceError>;

    /// What is new.
    async fn read(&mut self, wanted: Wanted<'_>) -> Result<Page, SourceError>;

    /// The place saved under a name.
    async fn place(&mut self, name: &str) -> Result<Option<i64>, SourceError>;

    /// Saves places, `None` to forget one; all of them or none.
    async fn save(&mut self, changed: &[(String, Option<i64>)]) -> Result<(), SourceError>;

    /// Forgets all places but these.
    async fn keep_only(&mut self, names: &[String]) -> Result<(), SourceError>;
}
