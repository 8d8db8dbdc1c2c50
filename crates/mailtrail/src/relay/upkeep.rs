//! Keeps what waits within its bounds, and says how it stands.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::SharedFile;
use super::health::{self, Health};
use crate::clock;
use crate::log;
use crate::stop::Stop;
use crate::store::keeper::Looks;
use crate::store::relay::{Bound, ConsumerState, Dropped};

/// The drain looks more often than that.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Upkeep {
    pub(super) file: SharedFile,
    pub(super) bounds: Vec<Bound>,
    pub(super) max_bytes: u64,
    pub(super) health: Health,
}

/// What one look found.
struct Found {
    dropped: Vec<Dropped>,
    consumers: Vec<ConsumerState>,
    bytes: u64,
}

impl Upkeep {
    pub(super) async fn run(self, mut looks: Looks, mut stop: Stop) {
        let mut known = BTreeMap::new();
        loop {
            let (bounds, max_bytes) = (self.bounds.clone(), self.max_bytes);
            let look = self.file.with(move |file| {
                let dropped = file.bound(&bounds, max_bytes, clock::now_micros())?;
                Ok(Found { dropped, consumers: file.consumers()?, bytes: file.held()?.1 })
            });
            match look.await {
                Ok(found) => self.tell(&found, &mut known),
                Err(error) => log::limited("relay upkeep", || tracing::error!("{error}")),
            }
            let next = Instant::now() + LOOK_EVERY;
            tokio::select! {
                () = async { looks.next().await; tokio::time::sleep_until(next).await } => {}
                () = stop.requested() => return,
            }
        }
    }

    /// `known`: dropped POSTs of each consumer, as last seen; `forget` drops some, too, which is no alarm.
    fn tell(&self, found: &Found, known: &mut BTreeMap<String, u64>) {
        for Dropped { consumer, posts } in &found.dropped {
            tracing::error!(
                consumer,
                posts,
                "POSTs were given up that the consumer never got: they were older than [[relay]] max_age, or there was no \
                 room ([store] max_relay)"
            );
        }
        for state in &found.consumers {
            let before = known.insert(state.name.clone(), state.dropped).unwrap_or(state.dropped);
            let at_start: u64 = found.dropped.iter().filter(|d| d.consumer == state.name).map(|d| d.posts).sum();
            health::show(state, (state.dropped - before.min(state.dropped)).max(at_start));
        }
        metrics::gauge!("mailtrail_relay_bytes").set(found.bytes as f64);
        self.health.note(&found.consumers, found.dropped.iter().map(|dropped| dropped.posts).sum());
    }
}
