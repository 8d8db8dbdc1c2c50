//! How forwarding is doing: metrics, and a word in the log when it changes.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock;
use crate::log;
use crate::store::bigquery::Pulse;

/// Shared by all batches on the way.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<Counts>);

#[derive(Default)]
struct Counts {
    /// Requests that BigQuery took.
    taken: AtomicU64,
    in_trouble: AtomicBool,
    failures: AtomicU64,
    refused: AtomicU64,
    waiting: AtomicU64,
    /// 0: nothing is on the way.
    oldest_received_at: AtomicI64,
    last_failure: Mutex<Option<String>>,
}

/// How forwarding stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether the last attempt worked; `None`: there was none yet.
    pub up: Option<bool>,
    /// When the oldest event came in that BigQuery has not acknowledged, µs since the epoch; `None`: it has all.
    pub oldest_received_at: Option<i64>,
    /// Events in the trail that are not on their way.
    pub waiting: u64,
    /// Attempts that failed, since the start.
    pub failures: u64,
    /// Events that BigQuery will not take, since the start.
    pub refused: u64,
    /// Why the last attempt failed, where it did; without addresses.
    pub last_failure: Option<String>,
}

/// Says how forwarding stands, for as long as it runs. Cheap to clone.
#[derive(Clone)]
pub struct Forwarding(pub(super) Health);

impl Forwarding {
    /// At this moment.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let counts = &self.0.0;
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let oldest = counts.oldest_received_at.load(Ordering::Relaxed);
        let last_failure = counts.last_failure().clone();
        let tried = last_failure.is_some() || number(&counts.taken) > 0;
        Standing {
            up: tried.then_some(last_failure.is_none()),
            oldest_received_at: (oldest != 0).then_some(oldest),
            waiting: number(&counts.waiting),
            failures: number(&counts.failures),
            refused: number(&counts.refused),
            last_failure,
        }
    }
}

impl Counts {
    fn last_failure(&self) -> MutexGuard<'_, Option<String>> {
        // Nothing under the lock can panic half way.
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse for Health {
    fn taken(&self, rows: usize) {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("mailtrail_forward_rows_total").increment(rows as u64);
        metrics::gauge!("mailtrail_forward_up").set(1.0);
        if self.0.in_trouble.swap(false, Ordering::Relaxed) {
            self.0.last_failure().take();
            tracing::info!("forwarding to BigQuery goes on");
        }
    }

    fn requests_taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    fn trouble(&self, why: &str) {
        metrics::counter!("mailtrail_forward_failures_total").increment(1);
        metrics::gauge!("mailtrail_forward_up").set(0.0);
        self.0.failures.fetch_add(1, Ordering::Relaxed);
        self.0.last_failure().replace(why.to_owned());
        if self.0.in_trouble.swap(true, Ordering::Relaxed) {
            log::limited("forward", || tracing::warn!("still not forwarding to BigQuery: {why}"));
        } else {
            tracing::warn!("forwarding to BigQuery stopped for now, events wait in the trail: {why}");
        }
    }
}

impl Health {
    /// Rows that BigQuery will not take.
    pub(super) fn refused(&self, rows: usize) {
        if rows > 0 {
            self.0.refused.fetch_add(rows as u64, Ordering::Relaxed);
            metrics::counter!("mailtrail_forward_refused_rows_total").increment(rows as u64);
            tracing::warn!(
                rows,
                "BigQuery refused events: they stay in the trail, and in forward_failed with the reason"
            );
        }
    }

    /// `oldest_received_at`: of the events on the way; `None`: nothing is.
    pub(super) fn progress(&self, oldest_received_at: Option<i64>, waiting: u64) {
        self.0.oldest_received_at.store(oldest_received_at.unwrap_or(0), Ordering::Relaxed);
        self.0.waiting.store(waiting, Ordering::Relaxed);
        let lag = oldest_received_at.map_or(0, |at| clock::now_micros().saturating_sub(at).max(0));
        metrics::gauge!("mailtrail_forward_lag_seconds").set(lag as f64 / 1e6);
        metrics::gauge!("mailtrail_forward_waiting_events").set(waiting as f64);
    }
}

/// What the metrics are; counters begin with 0, so that a rise can be told from a start.
pub fn describe() {
    for name in ["rows", "refused_rows", "failures"] {
        metrics::counter!(format!("mailtrail_forward_{name}_total")).increment(0);
    }
    metrics::describe_counter!(
        "mailtrail_forward_rows_total",
        "events that BigQuery acknowledged, repetitions included"
    );
    metrics::describe_counter!(
        "mailtrail_forward_refused_rows_total",
        "events that BigQuery refused, kept in forward_failed"
    );
    metrics::describe_counter!(
        "mailtrail_forward_failures_total",
        "attempts at forwarding that failed and are repeated"
    );
    metrics::describe_gauge!("mailtrail_forward_up", "1 where the last attempt at forwarding worked");
    metrics::describe_gauge!(
        "mailtrail_forward_lag_seconds",
        "since the oldest event that BigQuery has not acknowledged was received"
    );
    metrics::describe_gauge!(
        "mailtrail_forward_waiting_events",
        "events in the trail that are not on their way to BigQuery yet"
    );
    metrics::describe_histogram!("mailtrail_bigquery_append_seconds", "time from an append to its acknowledgement");
}
