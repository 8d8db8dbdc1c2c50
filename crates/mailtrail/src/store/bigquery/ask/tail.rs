//! `tail -f`: events as they come in.

use super::Asker;
use super::cell;
use crate::store::bigquery::arrivals::{Arrivals, Shape};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::seen::Seen;
use crate::store::query::EventRecord;

/// How far before its place a look begins, µs: an append takes seconds, and receivers' clocks are about right.
const OVERLAP: i64 = 120 * 1_000_000;

/// What comes in from now on.
pub struct Tail<'a> {
    asker: &'a Asker,
    arrivals: Arrivals,
    read_to: i64,
}

impl Asker {
    /// What comes in behind these events, which are the newest ones; behind `now` (µs since the epoch) where there are none.
    #[must_use]
    pub fn tail(&self, newest: &[EventRecord], now: i64) -> Tail<'_> {
        let times = || newest.iter().map(|event| event.received_at);
        // What came in before the oldest of them is not to be shown; what became visible between them is.
        let mut seen = Seen::from(times().min().unwrap_or(now));
        for event in newest {
            // Met here for the first time; what it is does not matter.
            let _first = seen.meet(&event.event_key, event.received_at);
        }
        let shape = Shape { columns: cell::columns(), without: &[] };
        let arrivals = Arrivals::new(&self.dataset, shape, OVERLAP, seen);
        Tail { asker: self, arrivals, read_to: times().max().unwrap_or(now).min(now) }
    }
}

impl Tail<'_> {
    /// What came in since the last call, in about the order it was received; and whether there is more.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed; then the next call goes on from the same place.
    pub fn next(&mut self, now: i64) -> Result<(Vec<EventRecord>, bool), BigQueryError> {
        let looked = self.arrivals.next(self.read_to, None, now, |_, cells| cell::record(cells));
        let news = self.asker.blocking.wait(looked)?;
        self.read_to = news.read_to;
        Ok((news.items.into_iter().filter(|(_, known)| !known).map(|(event, _)| event).collect(), news.more))
    }

    /// What one look reads, in bytes; costs nothing.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub fn cost(&self) -> Result<u64, BigQueryError> {
        self.asker.blocking.wait(self.arrivals.cost(self.read_to, None))
    }
}
