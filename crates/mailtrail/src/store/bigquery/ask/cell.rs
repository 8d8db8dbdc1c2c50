//! Cells of an answer → values.

use serde_json::Value;

use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::query::Rows;
use crate::store::bigquery::schema::{EVENTS, Kind};
use crate::store::query::EventRecord;

/// What [`records`] expects: every column in its order.
pub(in crate::store::bigquery) fn columns() -> String {
    let columns: Vec<String> = EVENTS
        .columns
        .iter()
        .map(|column| match column.kind {
            // Of a null it would make the text null.
            Kind::Json => format!("IF({0} IS NULL, NULL, TO_JSON_STRING({0})) AS {0}", column.name),
            _ => column.name.to_owned(),
        })
        .collect();
    columns.join(", ")
}

/// A row's cells, one after the other.
pub(in crate::store::bigquery) struct Cells<'a>(std::slice::Iter<'a, Value>);

impl<'a> Cells<'a> {
    pub(in crate::store::bigquery) fn new(row: &'a [Value]) -> Self {
        Self(row.iter())
    }

    /// A text; numbers and flags are texts, too.
    pub(in crate::store::bigquery) fn text(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        }
    }

    pub(in crate::store::bigquery) fn needed(&mut self) -> Result<String, BigQueryError> {
        self.text().ok_or_else(|| odd("a value is missing"))
    }

    pub(in crate::store::bigquery) fn integer(&mut self) -> Result<Option<i64>, BigQueryError> {
        self.text().map(|text| text.parse().map_err(|_| odd("a number is none"))).transpose()
    }

    /// µs since the epoch.
    pub(in crate::store::bigquery) fn time(&mut self) -> Result<i64, BigQueryError> {
        self.integer()?.ok_or_else(|| odd("a time is missing"))
    }

    pub(in crate::store::bigquery) fn count(&mut self) -> Result<u64, BigQueryError> {
        self.needed()?.parse().map_err(|_| odd("a count is none"))
    }

    fn flag(&mut self) -> Result<Option<bool>, BigQueryError> {
        self.text().map(|text| text.parse().map_err(|_| odd("a flag is none"))).transpose()
    }

    pub(in crate::store::bigquery) fn list(&mut self) -> Vec<String> {
        let items = self.0.next().and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.get("v").and_then(Value::as_str)).map(str::to_owned).collect()
    }
}

pub(in crate::store::bigquery) fn odd(why: &str) -> BigQueryError {
    BigQueryError::Answer { doing: "answer a query".to_owned(), why: why.to_owned() }
}

/// Events of an answer with [`columns`].
pub(in crate::store::bigquery) fn records(rows: &Rows) -> Result<Vec<EventRecord>, BigQueryError> {
    rows.rows.iter().map(|row| record(&mut Cells::new(row))).collect()
}

/// One of them.
pub(super) fn record(cells: &mut Cells<'_>) -> Result<EventRecord, BigQueryError> {
    // A struct's fields are evaluated as written.
    Ok(EventRecord {
        id: 0,
        sg_event_id: cells.text(),
        event: cells.needed()?,
        timestamp: cells.time()?,
        email_hash: cells.text(),
        email_domain: cells.text(),
        email: cells.text(),
        sg_message_id: cells.text(),
        message_id: cells.text(),
        smtp_id: cells.text(),
        category: cells.list(),
        reason: cells.text(),
        response: cells.text(),
        status: cells.text(),
        r#type: cells.text(),
        bounce_classification: cells.text(),
        attempt: cells.integer()?,
        asm_group_id: cells.integer()?,
        url: cells.text(),
        useragent: cells.text(),
        ip: cells.text(),
        sg_machine_open: cells.flag()?,
        tls: cells.flag()?,
        run: cells.text(),
        recipient: cells.text(),
        request: cells.text(),
        custom_args: cells.text(),
        extra: cells.text(),
        received_at: cells.time()?,
        verified_by: cells.text(),
        key_id: cells.text(),
        event_key: cells.needed()?,
        fingerprint: cells.needed()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_read_in_the_order_of_the_columns() {
        let names: Vec<&str> = EVENTS.columns.iter().map(|column| column.name).collect();
        let row: Vec<Value> = EVENTS
            .columns
            .iter()
            .map(|column| match (column.kind, column.name) {
                (_, "category") => json!([{ "v": "a" }, { "v": "b" }]),
                (Kind::Timestamp | Kind::Integer, _) => json!("7"),
                (Kind::Bool, _) => json!("true"),
                (_, name) => json!(name),
            })
            .collect();
        let rows = Rows { rows: vec![row, vec![Value::Null; names.len()]], ..Rows::default() };
        assert!(records(&rows).is_err(), "an event without a name is none");
        let rows = Rows { rows: rows.rows[..1].to_vec(), ..rows };
        let [record] = &records(&rows).unwrap()[..] else { panic!("one") };
        assert_eq!((record.category.len(), record.attempt, record.tls), (2, Some(7), Some(true)));
        assert_eq!(record.fingerprint, "fingerprint");
        assert_eq!(record.custom_args.as_deref(), Some("custom_args"));
        assert_eq!(record.received_at, 7);
    }
}
