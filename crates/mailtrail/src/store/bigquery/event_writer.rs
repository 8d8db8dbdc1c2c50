//! Events into their table.

use bytes::Bytes;

use super::Dataset;
use super::error::{AppendError, BigQueryError};
use super::row;
use super::schema::EVENTS;
use super::write::{Appender, IN_FLIGHT, MAX_BYTES, ROW_OVERHEAD};
use crate::store::query::EventRecord;

const DAY: i64 = 86_400_000_000;
/// BigQuery takes rows by streaming for the days from five years ago to one year ahead.
const BACK: i64 = 5 * 365 * DAY;
const AHEAD: i64 = 365 * DAY;

/// Whether BigQuery has a partition that rows of this time can be streamed to; both in µs since the epoch.
#[must_use]
pub fn takes(timestamp: i64, now: i64) -> bool {
    (now.saturating_sub(BACK)..now.saturating_add(AHEAD)).contains(&timestamp)
}

/// An event, ready to be sent. Cheap to clone.
#[derive(Clone)]
pub struct Row(Bytes);

impl Row {
    /// Of an event.
    #[must_use]
    pub fn of(event: &EventRecord) -> Self {
        Self(row::encode(&row::event(event)))
    }

    /// What it takes of a request's [`EventWriter::MAX_BYTES`].
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len() + ROW_OVERHEAD
    }
}

/// Appends events. Cheap to clone.
#[derive(Clone)]
pub struct EventWriter(Appender);

impl EventWriter {
    /// The sizes of a request's rows together are at most this.
    pub const MAX_BYTES: usize = MAX_BYTES;
    /// Requests that can be on the way at once.
    pub const IN_FLIGHT: usize = IN_FLIGHT;

    /// Appends rows; when this returns `Ok` they are durable, each at least once.
    ///
    /// # Errors
    /// When they were not, or not certainly, appended.
    pub async fn append(&self, rows: impl Iterator<Item = &Row> + Send) -> Result<(), AppendError> {
        self.0.append(rows.map(|row| row.0.clone()).collect()).await
    }
}

impl Dataset {
    /// A writer of events, which connects when first used. Needs a runtime.
    ///
    /// # Errors
    /// When the address of the API cannot be used.
    pub fn event_writer(&self) -> Result<EventWriter, BigQueryError> {
        Appender::start(&self.config, self.auth.clone(), &EVENTS).map(EventWriter)
    }

    /// The table of events, for people and as a name for saved places.
    #[must_use]
    pub fn event_table(&self) -> String {
        self.names.shown(&self.names.table(&EVENTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_cannot_be_streamed_to() {
        let now = 1_790_000_000_000_000;
        assert!(takes(now, now) && takes(now - 4 * 365 * DAY, now) && takes(now + 300 * DAY, now));
        assert!(!takes(now - 6 * 365 * DAY, now) && !takes(now + 400 * DAY, now));
    }
}
