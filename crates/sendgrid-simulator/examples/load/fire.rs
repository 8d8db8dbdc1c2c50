//! Sends prepared requests over connections that stay open, and measures each until its 200.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use hyper::StatusCode;
use sendgrid_simulator::Target;
use tokio::task::JoinSet;

use crate::line::{Line, Post};

/// What came of a run.
pub(crate) struct Fired {
    pub(crate) acknowledged: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) unanswered: u64,
    pub(crate) used_up: bool,
    pub(crate) elapsed: Duration,
    times: Histogram<u64>,
}

impl Fired {
    /// The median, 90th and 99th percentile and the longest time to a 200.
    pub(crate) fn milliseconds(&self) -> [f64; 4] {
        let at = |quantile| self.times.value_at_quantile(quantile) as f64 / 1000.0;
        [at(0.5), at(0.9), at(0.99), self.times.max() as f64 / 1000.0]
    }
}

/// An answer must come within this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection waits after a 503.
const FULL_PAUSE: Duration = Duration::from_millis(50);

struct Queue {
    posts: Vec<Mutex<Option<Post>>>,
    next: AtomicUsize,
}

impl Queue {
    fn take(&self) -> Option<Post> {
        let slot = self.posts.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Sends until all are sent or `limit` is over; what is in flight then is awaited.
pub(crate) async fn all(target: &Target, posts: Vec<Post>, connections: u32, limit: Duration) -> anyhow::Result<Fired> {
    let url = target.expose();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let address = (host, url.port_or_known_default().unwrap_or(80));
    let queue = Queue { posts: posts.into_iter().map(|p| Mutex::new(Some(p))).collect(), next: AtomicUsize::new(0) };
    let queue = Arc::new(queue);
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(Line::open(&address).await.with_context(|| format!("connecting to {target}"))?);
    }
    let started = Instant::now();
    let deadline = started + limit;
    let mut tasks = JoinSet::new();
    for line in lines {
        tasks.spawn(work(line, address.clone(), Arc::clone(&queue), deadline));
    }
    let mut fired = Fired {
        acknowledged: 0,
        statuses: BTreeMap::new(),
        unanswered: 0,
        used_up: false,
        elapsed: Duration::ZERO,
        times: histogram()?,
    };
    while let Some(done) = tasks.join_next().await {
        let part = done.context("a connection's task failed")??;
        fired.unanswered += part.unanswered;
        for (status, count) in part.statuses {
            *fired.statuses.entry(status).or_default() += count;
        }
        fired.times.add(part.times).context("merging times")?;
    }
    fired.elapsed = started.elapsed();
    fired.acknowledged = fired.times.len();
    fired.used_up = queue.next.load(Ordering::Relaxed) >= queue.posts.len() && Instant::now() < deadline;
    Ok(fired)
}

struct Part {
    statuses: BTreeMap<u16, u64>,
    unanswered: u64,
    times: Histogram<u64>,
}

async fn work(first: Line, address: (String, u16), queue: Arc<Queue>, deadline: Instant) -> anyhow::Result<Part> {
    let mut part = Part { statuses: BTreeMap::new(), unanswered: 0, times: histogram()? };
    let mut line = first;
    while Instant::now() < deadline {
        let Some(post) = queue.take() else { break };
        let sent = Instant::now();
        loop {
            // A receiver may close after an answer; a new connection is then part of the price.
            if !line.is_open() {
                line = Line::open(&address).await.context("connecting again")?;
            }
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, line.post(&post)).await;
            let Ok(Ok(status)) = answer else {
                part.unanswered += 1;
                break;
            };
            let took = sent.elapsed();
            *part.statuses.entry(status.as_u16()).or_default() += 1;
            if status.is_success() {
                part.times.record(took.as_micros() as u64).context("recording a time")?;
            }
            // Full is not lost: SendGrid would come again. The time to 200 counts from the first try.
            if status != StatusCode::SERVICE_UNAVAILABLE || Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }
    Ok(part)
}

/// Microseconds up to two minutes, to three digits.
fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_max(120_000_000, 3).context("a histogram")
}
