//! The road behind the listener: decode → protect → spool or BigQuery, and only then the 200.

use std::collections::BTreeSet;
use std::sync::Arc;

use sendgrid_events::EVENT_NAMES;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::alarm::Alarm;
use super::sink::{Ready, Sink};
use crate::clock;
use crate::decode::{decode, looks_like};
use crate::protect::{Counts, KeyRing, ProtectedBatch, Protector};
use crate::receive::{Authentic, Keep, Kept, Refusal};
use crate::relay;

/// Larger bodies are worked on beside the listener's threads, so that one of them does not hold up many small ones.
const LARGE_BODY: usize = 128 * 1024;

/// What the public listener hands its bodies to.
pub struct Road {
    hands: Hands,
    alarm: Alarm,
    /// As many large bodies at once as there are processors.
    large_bodies: Semaphore,
    /// Has the threads for them; each of the listener's threads would keep some of its own.
    beside: Handle,
}

impl Road {
    /// A road that ends in `sink` and feeds `alarm`. `sealer`: the keys that seal POSTs, where they are passed on. Made on the
    /// runtime that works on large bodies.
    pub(super) fn new(protector: Protector, sink: Sink, sealer: Option<Arc<KeyRing>>, alarm: Alarm) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            hands: Hands { protector: Arc::new(protector), sink, sealer },
            alarm,
            large_bodies: Semaphore::new(processors),
            beside: Handle::current(),
        }
    }

    async fn protect(&self, body: Authentic) -> Result<Protected, Refusal> {
        // Either way the body is dropped here, before the wait for the commit.
        if body.bytes().len() <= LARGE_BODY {
            return self.hands.protect(&body);
        }
        let _turn = self.large_bodies.acquire().await.map_err(|_| Refusal::StoreFailing)?;
        let hands = self.hands.clone();
        // A panic in there would be a defect: it costs this POST, which SendGrid repeats, and nobody else's.
        self.beside.spawn_blocking(move || hands.protect(&body)).await.map_err(|_| Refusal::StoreFailing)?
    }
}

/// What works on a body.
#[derive(Clone)]
struct Hands {
    protector: Arc<Protector>,
    sink: Sink,
    /// Seals POSTs that are passed on; `None` where none is.
    sealer: Option<Arc<KeyRing>>,
}

struct Protected {
    ready: Ready,
    kept: Kept,
    /// Whether there is anything to keep.
    any: bool,
}

impl Hands {
    fn protect(&self, body: &Authentic) -> Result<Protected, Refusal> {
        let batch = self.protector.protect(decode(body), body);
        count_events(batch.counts());
        let kept = Kept { accepted: batch.events(), quarantined: batch.sealed() };
        if kept.quarantined > 0 {
            crate::log::limited("quarantine", || warn_quarantined(body, &batch));
        }
        let post = match self.sealer.as_ref().filter(|_| relay::is_passed_on(&body.verified_by)) {
            // What is to be passed on and cannot be sealed must come again.
            Some(keys) => Some(keys.seal_post(body).ok_or(Refusal::StoreFailing)?),
            None => None,
        };
        let any = kept.accepted + kept.quarantined > 0 || post.is_some();
        Ok(Protected { ready: self.sink.prepare(batch, post), kept, any })
    }
}

impl Keep for Road {
    async fn keep(&self, body: Authentic) -> Result<Kept, Refusal> {
        let _underway = self.hands.sink.underway();
        let Protected { ready, kept, any } = self.protect(body).await?;
        if any {
            ready.keep().await?;
        }
        if kept.accepted > 0 {
            note_last_event(clock::now_micros());
        }
        metrics::counter!("mailtrail_items_accepted_total").increment(kept.accepted as u64);
        metrics::counter!("mailtrail_items_quarantined_total").increment(kept.quarantined as u64);
        self.alarm.accepted();
        Ok(kept)
    }

    fn ready(&self) -> bool {
        self.hands.sink.is_ready()
    }

    fn refused(&self, refusal: Refusal, proven: bool) {
        self.alarm.refused(refusal, proven);
    }
}

/// Says what could not be read, and what it looks like.
fn warn_quarantined(body: &Authentic, batch: &ProtectedBatch) {
    let rows = batch.rows();
    let reasons: BTreeSet<&str> = rows.sealed.iter().map(|sealed| sealed.why.as_str()).collect();
    let reasons = Vec::from_iter(reasons).join(", ");
    let form = looks_like(body.bytes()).map(|form| format!("; {form}")).unwrap_or_default();
    tracing::warn!(
        "{} items of a POST are no events and are kept in quarantine ({reasons}{form}): see `mailtrail quarantine list`",
        rows.sealed.len()
    );
}

/// When the last event came in, µs since the epoch.
pub(super) fn note_last_event(at: i64) {
    metrics::gauge!("mailtrail_last_event_timestamp_seconds").set(at as f64 / 1e6);
}

/// The label of what is none of SendGrid's documented types: labels come from a fixed set, whatever is sent.
const OTHER: &str = "other";

/// Every label of `mailtrail_events_total`, in the order of [`Counts`].
pub(super) fn event_labels() -> impl Iterator<Item = &'static str> {
    EVENT_NAMES.into_iter().chain([OTHER])
}

/// Adds a batch to the counters, each of them once.
fn count_events(counts: &Counts) {
    for (label, count) in event_labels().zip(counts).filter(|(_, count)| **count > 0) {
        metrics::counter!("mailtrail_events_total", "event" => label).increment(u64::from(*count));
    }
}
