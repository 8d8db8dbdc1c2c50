//! What all handlers share.

use std::sync::Arc;

use super::admit::Hosts;
use super::guard::Guard;
use super::readers::Readers;
use super::runs::Held;
use super::source::Source;
use super::zone::Zone;
use crate::config::Output;
use crate::protect::KeyRing;
use crate::store::Keeper;

/// The page's parts.
pub(super) struct App {
    pub(super) guard: Guard,
    pub(super) readers: Arc<Readers>,
    pub(super) source: Source,
    pub(super) runs: Arc<Held>,
    pub(super) hosts: Hosts,
    pub(super) keys: Arc<KeyRing>,
    /// The language of who chose none, and the clock.
    pub(super) output: Output,
    /// What brings events to the trail on this machine; `None` where they go to BigQuery.
    pub(super) keeper: Option<Keeper>,
}

impl App {
    /// The clock that is shown.
    pub(super) fn zone(&self) -> Zone {
        Zone::new(&self.output.time_zone)
    }
}
