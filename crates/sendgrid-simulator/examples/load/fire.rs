//! Sends prepared requests over connections that stay open, and measures each until its 200.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use hyper::StatusCode;
use sendgrid_simulator::Target;
use tokio::task::JoinSet;

use crate::line::{Line, Post};

/// What came of a run.
pub(crate) struct Fired {
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) unanswered: u64,
    pub(crate) used_up: bool,
    pub(crate) elapsed: Duration,
    times: Histogram<u64>,
}

impl Fired {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.times.len()
    }

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

/// What all connections have in common.
struct Shared {
    /// Kept to the end: freeing memory is work that would count against the receiver.
    posts: Vec<Post>,
    next: AtomicUsize,
    fired: Mutex<Fired>,
}

impl Shared {
    fn take(&self) -> Option<&Post> {
        self.posts.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn fired(&self) -> MutexGuard<'_, Fired> {
        self.fired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends until all are sent or `limit` is over; what is in flight then is awaited.
pub(crate) async fn all(target: &Target, posts: Vec<Post>, connections: u32, limit: Duration) -> anyhow::Result<Fired> {
    let url = target.expose();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let address = (host, url.port_or_known_default().unwrap_or(80));
    // Microseconds up to two minutes, to three digits.
    let times = Histogram::new_with_max(120_000_000, 3).context("a histogram")?;
    let fired = Fired { statuses: BTreeMap::new(), unanswered: 0, used_up: false, elapsed: Duration::ZERO, times };
    let shared = Arc::new(Shared { posts, next: AtomicUsize::new(0), fired: Mutex::new(fired) });
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(Line::open(&address).await.with_context(|| format!("connecting to {target}"))?);
    }
    let started = Instant::now();
    let deadline = started + limit;
    let mut tasks = JoinSet::new();
    for line in lines {
        tasks.spawn(work(line, address.clone(), Arc::clone(&shared), deadline));
    }
    while let Some(done) = tasks.join_next().await {
        done.context("a connection's task failed")??;
    }
    let elapsed = started.elapsed();
    let shared = Arc::into_inner(shared).context("a connection's task goes on")?;
    let mut fired = shared.fired.into_inner().unwrap_or_else(PoisonError::into_inner);
    fired.elapsed = elapsed;
    fired.used_up = shared.next.into_inner() >= shared.posts.len() && elapsed < limit;
    Ok(fired)
}

async fn work(mut line: Line, address: (String, u16), shared: Arc<Shared>, deadline: Instant) -> anyhow::Result<()> {
    while Instant::now() < deadline {
        let Some(post) = shared.take() else { break };
        let sent = Instant::now();
        loop {
            // A receiver may close after an answer; a new connection is then part of the price.
            if !line.is_open() {
                line = Line::open(&address).await.context("connecting again")?;
            }
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, line.post(post)).await;
            let Ok(Ok(status)) = answer else {
                shared.fired().unanswered += 1;
                break;
            };
            let took = sent.elapsed();
            {
                let mut fired = shared.fired();
                *fired.statuses.entry(status.as_u16()).or_default() += 1;
                if status.is_success() {
                    fired.times.record(took.as_micros() as u64).context("recording a time")?;
                }
            }
            // Full is not lost: SendGrid would come again. The time to 200 counts from the first try.
            if status != StatusCode::SERVICE_UNAVAILABLE || Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }
    Ok(())
}
