//! The trail → BigQuery: every event, at least once, from a saved place, as fast as BigQuery takes them and never faster.
//!
//! A thread of low priority reads and encodes ([`source`]); several batches are on the way at once, each repeated until BigQuery
//! took it or named the rows at fault (`store::bigquery::deliver`); the saved place moves to the lowest contiguous acknowledgement. So a kill costs
//! a few rows sent twice, which the unique view shows once, and an outage costs memory for those few batches alone.

mod health;
mod source;
mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

pub use health::{Forwarding, Standing, describe};

use crate::clock;
use crate::config::BigQuery;
use crate::database::OpenError;
use crate::stop::Stop;
use crate::store::Paths;
use crate::store::bigquery::{Backoff, BigQueryError, Dataset, Entry, EventWriter, Pulse as _, Row, deliver};
use crate::store::sqlite::{Forwarded, RefusedEvent, TrailError};
use health::Health;
use source::{Batch, Source};
use window::{Landed, Window};

/// How often the place is saved, at most.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// How often the metrics are renewed while nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// How long batches on the way are waited for when the process stops.
const GRACE: Duration = Duration::from_secs(3);

/// Why forwarding cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// Credentials or addresses.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// The saved place.
    #[error(transparent)]
    State(#[from] TrailError),
}

/// Copies a trail to BigQuery.
pub struct Forward {
    dataset: Dataset,
    writer: EventWriter,
    entries: Vec<Entry>,
    paths: Paths,
    state: Arc<Mutex<Forwarded>>,
    health: Health,
}

impl Forward {
    /// Makes ready; `entries` say which keys the dataset must have been begun with. Asks BigQuery nothing yet: whether it can
    /// be reached must not decide whether events can be received.
    ///
    /// # Errors
    /// When there are no credentials or the saved place cannot be opened.
    pub fn new(config: &BigQuery, paths: &Paths, entries: Vec<Entry>) -> Result<Self, ForwardError> {
        let dataset = Dataset::new(config)?;
        let writer = dataset.event_writer()?;
        let state = Forwarded::open(&paths.forwarded(), &dataset.event_table())?;
        let state = Arc::new(Mutex::new(state));
        Ok(Self { dataset, writer, entries, paths: paths.clone(), state, health: Health::default() })
    }

    /// Says how it stands while it runs.
    #[must_use]
    pub fn forwarding(&self) -> Forwarding {
        Forwarding(self.health.clone())
    }

    /// Runs until `stop`.
    pub async fn run(self, mut stop: Stop) {
        tokio::select! {
            () = self.wait_until_fit() => {}
            () = stop.requested() => return,
        }
        let mut backoff = Backoff::default();
        // Ends by itself when asked to stop. Else the trail or the saved place cannot be read, and it begins anew from there.
        while let Err(error) = self.copy(stop.clone()).await {
            self.health.trouble(&error.to_string());
            tokio::select! {
                () = backoff.wait() => {}
                () = stop.requested() => return,
            }
        }
    }

    /// Until the table is there, ours, and of our keys: rows of another key must not get in.
    async fn wait_until_fit(&self) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.dataset.verify(&self.entries).await {
            self.health.trouble(&error.to_string());
            let paths = self.paths.clone();
            let waiting = self.with_state(move |state| source::waiting(&paths, state.cursor()?)).await;
            // What cannot be read now is said when it is to be copied.
            if let Ok((waiting, oldest_received_at)) = waiting {
                self.health.progress(oldest_received_at, waiting);
            }
            backoff.wait().await;
        }
    }

    async fn copy(&self, mut stop: Stop) -> Result<(), TrailError> {
        let cursor = self.with_state(|state| state.cursor()).await?;
        let mut source = Source::start(&self.paths, cursor);
        let mut window = Window::behind(cursor);
        let mut flights: JoinSet<(u64, Landed)> = JoinSet::new();
        let mut next_save = Instant::now();
        loop {
            let room = flights.len() < EventWriter::IN_FLIGHT;
            tokio::select! {
                batch = source.next(), if room => match batch {
                    Some(Ok(batch)) => {
                        let number = window.add(&batch);
                        let (writer, health) = (self.writer.clone(), self.health.clone());
                        flights.spawn(async move { (number, fly(batch, &writer, &health).await) });
                    }
                    Some(Err(error)) => {
                        self.save(&mut window).await?;
                        self.health.trouble(&error.to_string());
                        return Err(error);
                    }
                    // It ends without a word only in a panic, a defect: it is begun anew.
                    None => {
                        self.save(&mut window).await?;
                        let source = std::io::Error::other("the thread that reads the trail ended");
                        return Err(OpenError::Thread { source }.into());
                    }
                },
                Some(landed) = flights.join_next() => window.landed(landed),
                () = sleep_until(next_save), if window.has_news() => {
                    self.save(&mut window).await?;
                    next_save = Instant::now() + SAVE_EVERY;
                }
                () = sleep(TICK) => {}
                () = stop.requested() => break,
            }
            self.health.progress(window.oldest_received_at(), source.waiting(window.handed_out()));
        }
        let deadline = Instant::now() + GRACE;
        while let Ok(Some(landed)) = timeout_at(deadline, flights.join_next()).await {
            window.landed(landed);
        }
        self.save(&mut window).await
    }

    async fn save(&self, window: &mut Window) -> Result<(), TrailError> {
        let Some((to, refused)) = window.take_news() else { return Ok(()) };
        self.health.refused(refused.len());
        self.with_state(move |state| state.advance(to, &refused, clock::now_micros())).await
    }

    async fn with_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Forwarded) -> Result<T, TrailError> + Send + 'static,
    ) -> Result<T, TrailError> {
        let state = Arc::clone(&self.state);
        let done = tokio::task::spawn_blocking(move || work(&mut state.lock().unwrap_or_else(PoisonError::into_inner)));
        match done.await {
            Ok(done) => done,
            // A panic is passed on; there is no other way for such a task to end.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

async fn fly(batch: Batch, writer: &EventWriter, health: &Health) -> Landed {
    let (ids, rows): (Vec<i64>, Vec<Row>) = batch.rows.into_iter().unzip();
    let refused = deliver(rows, writer, health).await.into_iter();
    let refused = refused.filter_map(|row| Some(RefusedEvent { id: *ids.get(row.index)?, why: row.why }));
    Landed { refused: batch.refused.into_iter().chain(refused).collect() }
}
