//! Receiving without a disk: a batch goes to BigQuery, and is acknowledged when BigQuery did. Whoever waits while requests are
//! on the way shares the next one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::Dataset;
use super::deliver::{Pulse, deliver};
use super::error::BigQueryError;
use super::event_writer::{EventWriter, Row, takes};
use super::quarantine::{Aside, QuarantineWriter};
use super::received::record;
use crate::log;
use crate::protect::ProtectedBatch;
use crate::store::query::EventRecord;
use crate::store::sqlite::ID_COLLISION;

/// Requests on the way at once; more would be smaller ones.
const IN_FLIGHT: usize = 4;
/// Bytes of rows that wait for their acknowledgement; beyond it batches are refused.
const MOST_WAITING: usize = 64 << 20;
/// How long after a failure it counts as unwell.
const UNWELL: Duration = Duration::from_secs(20);
/// Batches that wait for a request.
const QUEUE: usize = 1024;

/// Says that BigQuery has acknowledged a batch: what permits a 200.
#[derive(Debug)]
pub struct Acknowledged(());

/// Why a batch was not, or not certainly, stored: the sender must repeat it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Too much waits already.
    #[error("too much waits for BigQuery")]
    Full,
    /// BigQuery did not take it in time.
    #[error("BigQuery did not acknowledge within {0:?}")]
    Slow(Duration),
}

/// Takes batches for good. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    jobs: mpsc::Sender<Job>,
    waiting: Arc<Semaphore>,
    pulse: Arc<Counts>,
    patience: Duration,
}

/// A batch, ready to be sent.
pub struct Prepared {
    events: Vec<(Row, EventRecord)>,
    aside: Vec<Aside>,
    size: usize,
}

struct Job {
    prepared: Prepared,
    answer: oneshot::Sender<Acknowledged>,
    _room: OwnedSemaphorePermit,
}

impl Intake {
    /// Begins to take batches. Needs a runtime.
    ///
    /// # Errors
    /// When the address of the API cannot be used.
    pub fn start(dataset: &Dataset) -> Result<Self, BigQueryError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let patience = dataset.config.append_timeout;
        let pulse = Arc::new(Counts::default());
        let writers = Writers { events: dataset.event_writer()?, quarantine: dataset.quarantine_writer()? };
        tokio::spawn(run(queue, Arc::new(writers), Arc::clone(&pulse), patience));
        Ok(Self { jobs, waiting: Arc::new(Semaphore::new(MOST_WAITING)), pulse, patience })
    }

    /// Makes rows of a batch at `now` (µs since the epoch). Works a while for large ones.
    #[must_use]
    pub fn prepare(batch: &ProtectedBatch, now: i64) -> Prepared {
        let rows = batch.rows();
        let mut prepared = Prepared { events: Vec::new(), aside: Vec::new(), size: 0 };
        let mut recipients: HashMap<(i64, [u8; 16]), [u8; 32]> = HashMap::new();
        for event in &rows.events {
            let record = record(&rows, event);
            let hash = event.address.as_ref().map(|address| address.email_hash);
            // Between batches nothing is compared: the table keeps both rows, and its unique view shows the first.
            let collides =
                hash.is_some_and(|hash| *recipients.entry((event.timestamp, event.event_key)).or_insert(hash) != hash);
            if collides {
                prepared.aside.push(Aside::refused(&record, ID_COLLISION));
            } else if takes(record.timestamp, now) {
                let row = Row::of(&record);
                prepared.size += row.size();
                prepared.events.push((row, record));
            } else {
                let why = "BigQuery takes events by streaming from five years back to one year ahead";
                prepared.aside.push(Aside::refused(&record, why));
            }
        }
        prepared.aside.extend(rows.sealed.iter().map(|sealed| Aside::sealed(&rows, sealed)));
        prepared.size += prepared.aside.iter().map(Aside::size).sum::<usize>();
        prepared
    }

    /// Stores a batch; when this returns `Ok` it outlives this process.
    ///
    /// # Errors
    /// When it was not, or not certainly, stored: the sender must repeat it (503).
    pub async fn commit(&self, prepared: Prepared) -> Result<Acknowledged, IntakeError> {
        let bytes = u32::try_from(prepared.size.clamp(1, MOST_WAITING)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.waiting).try_acquire_many_owned(bytes).map_err(|_| IntakeError::Full)?;
        let (answer, answered) = oneshot::channel();
        let job = Job { prepared, answer, _room: room };
        let stored = async {
            self.jobs.send(job).await.ok()?;
            // Not answered: given up by whoever sent it.
            answered.await.ok()
        };
        match timeout(self.patience, stored).await {
            Ok(Some(acknowledged)) => Ok(acknowledged),
            Ok(None) | Err(_) => Err(IntakeError::Slow(self.patience)),
        }
    }

    /// Whether the last request was taken, or failed a while ago: who is sent nothing while unwell would never get well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.pulse.trouble_at().is_none_or(|at| at.elapsed() > UNWELL)
    }
}

struct Writers {
    events: EventWriter,
    quarantine: QuarantineWriter,
}

async fn run(mut queue: mpsc::Receiver<Job>, writers: Arc<Writers>, pulse: Arc<Counts>, patience: Duration) {
    let mut flights = JoinSet::new();
    loop {
        tokio::select! {
            first = queue.recv(), if flights.len() < IN_FLIGHT => {
                let Some(first) = first else { break };
                let group = company(first, &mut queue);
                let (writers, pulse) = (Arc::clone(&writers), Arc::clone(&pulse));
                flights.spawn(async move {
                    // What is not settled by then is repeated by its senders.
                    let _given_up = timeout(patience, fly(group, &writers, &pulse)).await;
                });
            }
            Some(_flown) = flights.join_next() => {}
        }
    }
    while flights.join_next().await.is_some() {}
}

/// Whoever waits already, as many as a request holds; nobody is waited for.
fn company(first: Job, queue: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut size = first.prepared.size;
    let mut group = vec![first];
    while size < EventWriter::MAX_BYTES / 2 {
        let Ok(job) = queue.try_recv() else { break };
        // Whoever waited for it has given up, and its sender repeats it.
        if job.answer.is_closed() {
            continue;
        }
        size += job.prepared.size;
        group.push(job);
    }
    group
}

/// Sends a group and acknowledges all of it, or nobody.
async fn fly(group: Vec<Job>, writers: &Writers, pulse: &Counts) {
    metrics::histogram!("mailtrail_bigquery_batches_a_request").record(group.len() as f64);
    let mut events = Vec::new();
    let mut aside = Vec::new();
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        events.extend(job.prepared.events);
        aside.extend(job.prepared.aside);
        // The room is kept until the answer.
        answers.push((job.answer, job._room));
    }
    let rows = events.iter().map(|(row, _)| row.clone()).collect();
    for refused in deliver(rows, &writers.events, pulse).await {
        if let Some((_, record)) = events.get(refused.index) {
            aside.push(Aside::refused(record, &refused.why));
        }
    }
    if !aside.is_empty() {
        metrics::counter!("mailtrail_bigquery_quarantined_total").increment(aside.len() as u64);
        writers.quarantine.keep(aside, pulse).await;
    }
    for (answer, _room) in answers {
        // Whoever gave up waiting is told nothing.
        let _gave_up = answer.send(Acknowledged(()));
    }
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    /// When the last failure was; `None` since a request was taken.
    trouble_at: Mutex<Option<Instant>>,
}

impl Counts {
    fn trouble_at(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing under the lock can panic half way.
        self.trouble_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse for Counts {
    fn taken(&self, rows: usize) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("mailtrail_bigquery_rows_total").increment(rows as u64);
        if self.trouble_at().take().is_some() {
            tracing::info!("BigQuery takes events again");
        }
    }

    fn requests_taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn trouble(&self, why: &str) {
        metrics::counter!("mailtrail_bigquery_failures_total").increment(1);
        if self.trouble_at().replace(Instant::now()).is_some() {
            log::limited("bigquery", || tracing::warn!("BigQuery still takes no events: {why}"));
        } else {
            tracing::warn!("BigQuery takes no events for now, posts are answered 503 and repeated: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::batch;

    #[test]
    fn an_event_with_the_key_of_another_recipients_event_is_put_aside() {
        let mut rows = batch([1, 1, 1]);
        rows.events[2].address.as_mut().expect("has one").email_hash = [5; 32];
        let now = rows.events[0].timestamp;
        let prepared = Intake::prepare(&ProtectedBatch::vouched_for(rows), now);
        assert_eq!((prepared.events.len(), prepared.aside.len()), (2, 1));
    }

    #[test]
    fn what_bigquery_cannot_stream_is_put_aside_and_the_rest_is_not() {
        let mut rows = batch(0..5);
        rows.events[2].timestamp = 1_240_000_000_000_000;
        rows.sealed.push(crate::store::testing::plain_seal(b"{", "not_json"));
        let now = rows.events[0].timestamp;
        let prepared = Intake::prepare(&ProtectedBatch::vouched_for(rows), now);
        assert_eq!((prepared.events.len(), prepared.aside.len()), (4, 2));
        assert!(prepared.size > 200);
    }
}
