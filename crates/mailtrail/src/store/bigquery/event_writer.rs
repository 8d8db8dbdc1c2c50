//! Events into their table.

use std::borrow::Cow;

use bytes::Bytes;

use super::Dataset;
use super::error::{AppendError, BigQueryError};
use super::names::Names;
use super::schema::EVENTS;
use super::write::{Appender, IN_FLIGHT, MAX_BYTES, ROW_OVERHEAD};
use super::{json, row};
use crate::config::BigQuery;
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
        let custom_args = event.custom_args.as_deref().map(json::exact);
        let extra = event.extra.as_deref().map(json::exact);
        let changed = |json: &Option<Cow<'_, str>>| matches!(json, Some(Cow::Owned(_)));
        if !changed(&custom_args) && !changed(&extra) {
            return Self(row::encode(&row::event(event)));
        }
        let owned = |json: Option<Cow<'_, str>>| json.map(Cow::into_owned);
        let event = EventRecord { custom_args: owned(custom_args), extra: owned(extra), ..event.clone() };
        Self(row::encode(&row::event(&event)))
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
        shown(&self.names)
    }
}

/// The table of events that a configuration names, as [`Dataset::event_table`] says it.
#[must_use]
pub fn event_table(config: &BigQuery) -> String {
    shown(&Names::of(config))
}

fn shown(names: &Names) -> String {
    names.shown(&names.table(&EVENTS))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn numbers_that_bigquery_would_refuse_travel_as_text() {
        let mut event = testing::full_event(1);
        event.custom_args = Some(r#"{"id":12345678901234567890123,"lat":67.174118,"n":1}"#.to_owned());
        let read = testing::decode(&row::descriptor(&EVENTS), &Row::of(&event).0);
        assert_eq!(read["custom_args"], [r#"{"id":"12345678901234567890123","lat":"67.174118","n":1}"#]);
        assert_eq!(read["extra"], [r#"{"extra":1}"#]);
    }

    #[test]
    fn days_that_cannot_be_streamed_to() {
        let now = 1_790_000_000_000_000;
        assert!(takes(now, now) && takes(now - 4 * 365 * DAY, now) && takes(now + 300 * DAY, now));
        assert!(!takes(now - 6 * 365 * DAY, now) && !takes(now + 400 * DAY, now));
    }
}
