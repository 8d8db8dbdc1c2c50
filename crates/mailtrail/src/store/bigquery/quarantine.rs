//! What does not go into the table of events: sealed input, and events that BigQuery refused.

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::deliver::{Backoff, Pulse};
use super::error::BigQueryError;
use super::row::{self, Value};
use super::schema::{EVENTS, Kind, QUARANTINE};
use super::write::{Appender, MAX_BYTES, ROW_OVERHEAD};
use super::{Dataset, json};
use crate::protect::{BatchRow, SealedRow};
use crate::store::hex::hex;
use crate::store::query::EventRecord;

/// A row of the quarantine, ready to be sent.
#[derive(Clone)]
pub(super) struct Aside(Bytes);

impl Aside {
    /// An event that BigQuery will not take, with its reason.
    pub(super) fn refused(event: &EventRecord, why: &str) -> Self {
        let json = as_json(event);
        Self(row::encode(&[
            Value::Text(&event.event_key),
            Value::Text(why),
            Value::Integer(event.received_at),
            Value::text(event.verified_by.as_deref()),
            Value::Null,
            Value::Null,
            Value::Text(&json),
        ]))
    }

    /// Input that could not be read.
    pub(super) fn sealed(batch: &BatchRow<String>, sealed: &SealedRow<String>) -> Self {
        Self(row::encode(&[
            Value::Text(&hex(&sealed.item_key)),
            Value::Text(&sealed.why),
            Value::Integer(batch.received_at),
            Value::text(batch.verified_by.as_deref()),
            Value::Text(&sealed.seal_key_id),
            Value::Bytes(&sealed.sealed),
            Value::Null,
        ]))
    }

    pub(super) fn size(&self) -> usize {
        self.0.len() + ROW_OVERHEAD
    }
}

/// The columns of an event that are not null, as a JSON object.
fn as_json(event: &EventRecord) -> String {
    let mut object = Map::new();
    for (column, value) in EVENTS.columns.iter().zip(row::event(event)) {
        let value = match value {
            Value::Null => continue,
            Value::Text(text) if column.kind == Kind::Json => {
                serde_json::from_str(&json::exact(text)).unwrap_or_else(|_| text.into())
            }
            Value::Text(text) => text.into(),
            Value::Integer(number) => number.into(),
            Value::Bool(flag) => flag.into(),
            Value::List(texts) => texts.into(),
            // Events have none.
            Value::Bytes(_) => continue,
        };
        object.insert(column.name.to_owned(), value);
    }
    Json::Object(object).to_string()
}

/// Appends to the quarantine. Cheap to clone.
#[derive(Clone)]
pub(super) struct QuarantineWriter(Appender);

impl QuarantineWriter {
    /// Ends when all is kept, however long that takes. Nothing in such a row can be refused: what could be is text.
    pub(super) async fn keep(&self, rows: Vec<Aside>, pulse: &impl Pulse) {
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let mut size = 0;
            let fits = rest.iter().take_while(|row| {
                size += row.size();
                size <= MAX_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let mut backoff = Backoff::default();
            while let Err(error) = self.0.append(now.iter().map(|row| row.0.clone()).collect()).await {
                pulse.trouble(&format!("the quarantine: {error}"));
                backoff.wait().await;
            }
            // Not counted as taken: that the quarantine takes rows says nothing of the table of events.
            rest = later;
        }
    }
}

impl Dataset {
    pub(super) fn quarantine_writer(&self) -> Result<QuarantineWriter, BigQueryError> {
        Appender::start(&self.config, self.auth.clone(), &QUARANTINE).map(QuarantineWriter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::{bare_event, decode, full_event};

    #[test]
    fn a_refused_event_is_kept_whole_and_sealed_input_as_it_is() {
        let descriptor = row::descriptor(&QUARANTINE);
        let kept = decode(&descriptor, &Aside::refused(&full_event(3), "too old").0);
        let event: Json = serde_json::from_str(&kept["row"][0]).unwrap();
        assert_eq!(event.as_object().unwrap().len(), EVENTS.columns.len());
        assert_eq!((&event["extra"]["extra"], &event["attempt"]), (&3.into(), &3.into()));
        assert_eq!((kept["why"][0].as_str(), kept.get("sealed")), ("too old", None));
        let bare: Json = serde_json::from_str(&as_json(&bare_event(3))).unwrap();
        assert_eq!(bare.as_object().unwrap().len(), 6, "{bare}");

        let mut batch = crate::store::testing::batch(0..0);
        batch.verified_by = None;
        let sealed = crate::store::testing::plain_seal(b"abc", "not_json");
        let kept = decode(&descriptor, &Aside::sealed(&batch, &sealed).0);
        assert_eq!((kept["sealed"][0].as_str(), kept["item_key"][0].len(), kept.get("row")), ("abc", 32, None));
    }
}
