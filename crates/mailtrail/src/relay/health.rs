//! How passing on is doing: metrics, and what the alarm looks at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;
use crate::store::relay::{ConsumerState, Outcome};

/// So long after the last POST was given up, that is still news.
const DROPPED_FOR: Duration = Duration::from_secs(3600);

/// What the alarm looks at. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    waiting: u64,
    oldest: Option<i64>,
    set_aside: u64,
    dropped: u64,
    dropped_at: Option<Instant>,
}

/// How it stands, all consumers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// POSTs that the consumer furthest behind is still to get.
    pub waiting: u64,
    /// How long the oldest of all has waited.
    pub oldest: Duration,
    /// POSTs that were refused for good.
    pub set_aside: u64,
    /// POSTs that were given up within the last hour and before it without an hour's pause.
    pub dropped: u64,
}

impl Health {
    pub(super) fn note(&self, consumers: &[ConsumerState], dropped: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.waiting = consumers.iter().map(|state| state.waiting).max().unwrap_or(0);
        seen.oldest = consumers.iter().filter_map(|state| state.oldest).min();
        seen.set_aside = consumers.iter().map(|state| state.set_aside).sum();
        if dropped > 0 {
            seen.dropped_at = Some(Instant::now());
            seen.dropped += dropped;
        } else if seen.dropped_at.is_some_and(|at| at.elapsed() >= DROPPED_FOR) {
            (seen.dropped, seen.dropped_at) = (0, None);
        }
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = seen.oldest.map_or(0, |at| u64::try_from(clock::now_micros() - at).unwrap_or(0));
        Standing {
            waiting: seen.waiting,
            oldest: Duration::from_micros(oldest),
            set_aside: seen.set_aside,
            dropped: seen.dropped,
        }
    }
}

/// Counters begin with 0, so that a rise can be told from a start.
pub(super) fn begin(consumer: &str) {
    for name in ["delivered", "failures", "set_aside", "dropped", "loops"] {
        metrics::counter!(format!("mailtrail_relay_{name}_total"), "consumer" => consumer.to_owned()).increment(0);
    }
}

pub(super) fn count(consumer: &str, outcome: Outcome) {
    let name = match outcome {
        Outcome::Delivered => "mailtrail_relay_delivered_total",
        Outcome::SetAside(_) => "mailtrail_relay_set_aside_total",
        Outcome::Looped => "mailtrail_relay_loops_total",
    };
    metrics::counter!(name, "consumer" => consumer.to_owned()).increment(1);
}

pub(super) fn failed(consumer: &str) {
    metrics::counter!("mailtrail_relay_failures_total", "consumer" => consumer.to_owned()).increment(1);
}

/// `dropped`: since the last call.
pub(super) fn show(state: &ConsumerState, dropped: u64) {
    let consumer = || state.name.clone();
    metrics::gauge!("mailtrail_relay_waiting_posts", "consumer" => consumer()).set(state.waiting as f64);
    metrics::gauge!("mailtrail_relay_set_aside_posts", "consumer" => consumer()).set(state.set_aside as f64);
    let age = state.oldest.map_or(0, |at| (clock::now_micros() - at).max(0));
    metrics::gauge!("mailtrail_relay_lag_seconds", "consumer" => consumer()).set(age as f64 / 1e6);
    metrics::counter!("mailtrail_relay_dropped_total", "consumer" => consumer()).increment(dropped);
}

/// What the metrics are. The label `consumer` is the name in the configuration.
pub fn describe() {
    metrics::describe_counter!("mailtrail_relay_delivered_total", "POSTs that a consumer took");
    metrics::describe_counter!("mailtrail_relay_failures_total", "tries that a consumer did not take");
    metrics::describe_counter!("mailtrail_relay_set_aside_total", "POSTs that a consumer refused for good");
    metrics::describe_counter!(
        "mailtrail_relay_dropped_total",
        "POSTs that a consumer never gets: too old, no room, or somebody in them was forgotten"
    );
    metrics::describe_counter!(
        "mailtrail_relay_loops_total",
        "POSTs that a consumer did not take because they had been relayed in a loop"
    );
    metrics::describe_counter!(
        "mailtrail_relay_known_total",
        "POSTs that are not relayed because all their events were known: repetitions, replays and loops"
    );
    metrics::counter!("mailtrail_relay_known_total").increment(0);
    metrics::describe_gauge!("mailtrail_relay_waiting_posts", "POSTs that a consumer is still to get");
    metrics::describe_gauge!("mailtrail_relay_set_aside_posts", "POSTs that were refused and wait to be given again");
    metrics::describe_gauge!("mailtrail_relay_lag_seconds", "how long the oldest of a consumer's POSTs has waited");
    metrics::describe_gauge!("mailtrail_relay_bytes", "bytes that wait to be passed on");
}
