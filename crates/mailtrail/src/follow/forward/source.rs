//! Reads the trail in its order, on a thread of its own at low priority, and cuts it into batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock;
use crate::database::OpenError;
use crate::store::Paths;
use crate::store::bigquery::{EventWriter, Row, takes};
use crate::store::query::EventRecord;
use crate::store::sqlite::{ReadError, Reader, RefusedEvent, TrailError};

/// Events read at once, and in one batch at most.
const PAGE: usize = 2_000;
/// With nothing to read, the trail is looked at again after this: no event waits longer.
const IDLE: Duration = Duration::from_millis(500);
/// With a batch that nobody takes, so often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Answering and draining come first.
#[cfg(target_os = "linux")]
const NICE: i32 = 15;

/// Events that are sent together, in the trail's order.
pub(super) struct Batch {
    /// With their ids.
    pub(super) rows: Vec<(i64, Row)>,
    /// What need not be tried.
    pub(super) refused: Vec<RefusedEvent>,
    /// The last event's id.
    pub(super) last_id: i64,
    /// When the first was received, µs since the epoch.
    pub(super) received_at: i64,
}

/// The thread's other end. It ends when this is dropped.
pub(super) struct Source {
    batches: mpsc::Receiver<Result<Batch, TrailError>>,
    newest: Arc<AtomicI64>,
}

impl Source {
    pub(super) fn start(paths: &Paths, cursor: i64) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let newest = Arc::new(AtomicI64::new(cursor));
        let (paths, seen, failed) = (paths.clone(), Arc::clone(&newest), sender.clone());
        let runtime = Handle::current();
        let spawned = std::thread::Builder::new().name("forward".to_owned()).spawn(move || {
            lower_priority();
            if let Err(error) = read(&paths, cursor, &sender, &seen, &runtime) {
                // Nobody listens where the process stops.
                let _told = sender.blocking_send(Err(error));
            }
        });
        if let Err(source) = spawned {
            // The channel is empty: there is room.
            let _told = failed.try_send(Err(OpenError::Thread { source }.into()));
        }
        Self { batches, newest }
    }

    /// The next batch; `None` where the thread has ended.
    pub(super) async fn next(&mut self) -> Option<Result<Batch, TrailError>> {
        self.batches.recv().await
    }

    /// About how many events stand in the trail behind the one with this id.
    pub(super) fn waiting(&self, id: i64) -> u64 {
        u64::try_from(self.newest.load(Ordering::Relaxed) - id).unwrap_or(0)
    }
}

fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("the forwarder keeps its priority: {error}");
    }
}

fn read(
    paths: &Paths,
    mut cursor: i64,
    batches: &mpsc::Sender<Result<Batch, TrailError>>,
    newest: &AtomicI64,
    runtime: &Handle,
) -> Result<(), TrailError> {
    let reader = Reader::open(paths).map_err(trouble)?;
    let last = newest_id(&reader)?;
    if last < cursor {
        tracing::warn!(cursor, last, "the trail ends before the saved place: it is forwarded anew from its beginning");
        cursor = 0;
    }
    loop {
        let page = reader.after(cursor, PAGE).map_err(trouble)?;
        let full = page.len() == PAGE;
        if let Some(last) = page.last() {
            cursor = last.id;
            newest.store(if full { newest_id(&reader)? } else { cursor }, Ordering::Relaxed);
        }
        for batch in cut(&page, clock::now_micros(), EventWriter::MAX_BYTES) {
            // While nobody takes the batch, the trail grows: how far is to be seen.
            let place = loop {
                match runtime.block_on(async { timeout(LOOK_AGAIN, batches.reserve()).await }) {
                    Ok(Ok(place)) => break place,
                    Ok(Err(_closed)) => return Ok(()),
                    Err(_late) => newest.store(newest_id(&reader)?, Ordering::Relaxed),
                }
            };
            place.send(Ok(batch));
        }
        if !full {
            std::thread::sleep(IDLE);
            if batches.is_closed() {
                return Ok(());
            }
        }
    }
}

/// About how many events stand in the trail behind a place, and when the first of them was received.
pub(super) fn waiting(paths: &Paths, cursor: i64) -> Result<(u64, Option<i64>), TrailError> {
    let reader = Reader::open(paths).map_err(trouble)?;
    let first = reader.after(cursor, 1).map_err(trouble)?;
    let count = u64::try_from(newest_id(&reader)? - cursor).unwrap_or(0);
    Ok((count, first.first().map(|event| event.received_at)))
}

fn newest_id(reader: &Reader) -> Result<i64, TrailError> {
    Ok(reader.newest(1).map_err(trouble)?.last().map_or(0, |event| event.id))
}

fn trouble(error: ReadError) -> TrailError {
    match error {
        ReadError::Open(error) => error.into(),
        ReadError::Sqlite(error) => error.into(),
        // `serve` has made the trail before it forwards, and nothing is counted here.
        other => {
            OpenError::Io { path: std::path::PathBuf::new(), source: std::io::Error::other(other.to_string()) }.into()
        }
    }
}

/// Batches of at most so many bytes.
fn cut(page: &[EventRecord], now: i64, most: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut size = 0;
    for event in page {
        let row = Row::of(event);
        let fits = size + row.size() <= most;
        let batch = match batches.last_mut() {
            Some(batch) if fits => batch,
            _ => {
                size = 0;
                batches.push(Batch {
                    rows: Vec::new(),
                    refused: Vec::new(),
                    last_id: event.id,
                    received_at: event.received_at,
                });
                // Just pushed.
                let Some(batch) = batches.last_mut() else { continue };
                batch
            }
        };
        batch.last_id = event.id;
        batch.received_at = batch.received_at.min(event.received_at);
        if takes(event.timestamp, now) {
            size += row.size();
            batch.rows.push((event.id, row));
        } else {
            let why = "BigQuery takes events by streaming from five years back to one year ahead: import them";
            batch.refused.push(RefusedEvent { id: event.id, why: why.to_owned() });
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::full_event;

    #[test]
    fn batches_keep_the_order_and_the_bound_and_lose_nothing() {
        let page: Vec<EventRecord> = (1..=100).map(full_event).collect();
        let now = page[0].timestamp;
        let one = Row::of(&page[0]).size();
        let batches = cut(&page, now, one * 7 + 50);
        assert!(batches.len() >= 14, "{}", batches.len());
        let ids: Vec<i64> = batches.iter().flat_map(|batch| batch.rows.iter().map(|(id, _)| *id)).collect();
        assert_eq!(ids, (1..=100).collect::<Vec<i64>>());
        for batch in &batches {
            assert_eq!(batch.rows.last().map(|(id, _)| *id), Some(batch.last_id));
            assert!(batch.rows.iter().map(|(_, row)| row.size()).sum::<usize>() <= one * 7 + 50);
        }
        // A row larger than the bound goes alone: BigQuery says what it thinks of it.
        assert_eq!(cut(&page[..3], now, 1).len(), 3);
        assert!(cut(&[], now, 1).is_empty());
    }

    #[test]
    fn what_cannot_be_streamed_is_set_aside_without_trying() {
        let mut page: Vec<EventRecord> = (1..=3).map(full_event).collect();
        let now = page[0].timestamp;
        page[1].timestamp = 1_300_000_000_000_000;
        let [batch] = &cut(&page, now, 1 << 20)[..] else { panic!("one batch") };
        assert_eq!(batch.rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(batch.refused.iter().map(|event| event.id).collect::<Vec<_>>(), [2]);
        assert_eq!(batch.last_id, 3);
    }
}
