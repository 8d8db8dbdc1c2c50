//! The table that events go through on their way: its columns, its rows as JSON, and the statement that takes over what is new.

use serde_json::{Map, Value as Json, json};

use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::row::{self, Value};
use crate::store::bigquery::schema::{EVENTS, Kind, Mode};
use crate::store::bigquery::{Dataset, json};
use crate::store::query::EventRecord;

/// The table of their own.
pub(super) struct Staging {
    pub(super) name: String,
    pub(super) events: u64,
    /// Event times, µs since the epoch: the first and the last.
    pub(super) span: (i64, i64),
}

/// The columns of the table of their own: times as numbers and JSON as text, which every reader of JSON takes as they are.
pub(super) fn fields() -> Vec<Json> {
    let fields = EVENTS.columns.iter().map(|column| {
        let kind = match column.kind {
            Kind::Timestamp => Kind::Integer,
            Kind::Json => Kind::String,
            kind => kind,
        };
        let mode = if column.mode == Mode::Repeated { Mode::Repeated } else { Mode::Nullable };
        json!({ "name": column.name, "type": kind.name(), "mode": mode.name() })
    });
    fields.collect()
}

pub(super) fn line(event: &EventRecord) -> String {
    let mut object = Map::new();
    for (column, value) in EVENTS.columns.iter().zip(row::event(event)) {
        let value = match value {
            Value::Null | Value::Bytes(_) => continue,
            Value::Text(text) if column.kind == Kind::Json => json::exact(text).into(),
            Value::Text(text) => text.into(),
            Value::Integer(number) => number.into(),
            Value::Bool(flag) => flag.into(),
            Value::List(texts) => texts.into(),
        };
        object.insert(column.name.to_owned(), value);
    }
    let mut line = Json::Object(object).to_string();
    line.push('\n');
    line
}

/// Each event of the table of their own that the table of events does not have.
pub(super) fn merge(dataset: &Dataset, staging: &Staging) -> Query {
    let names = &dataset.names;
    let (events, from) = (names.sql_table(&EVENTS), names.sql(&staging.name));
    let columns: Vec<&str> = EVENTS.columns.iter().map(|column| column.name).collect();
    let values: Vec<String> = EVENTS
        .columns
        .iter()
        .map(|column| match column.kind {
            Kind::Timestamp => format!("TIMESTAMP_MICROS(s.{})", column.name),
            Kind::Json => format!("PARSE_JSON(s.{})", column.name),
            _ => format!("s.{}", column.name),
        })
        .collect();
    let sql = format!(
        "INSERT INTO {events} ({}) SELECT {} FROM (
             SELECT * FROM {from} WHERE TRUE
             QUALIFY ROW_NUMBER() OVER (PARTITION BY timestamp, event_key ORDER BY received_at) = 1
         ) AS s
         LEFT JOIN (SELECT timestamp, event_key FROM {events} WHERE timestamp >= @since AND timestamp < @until) AS e
             ON e.timestamp = TIMESTAMP_MICROS(s.timestamp) AND e.event_key = s.event_key
         WHERE e.event_key IS NULL",
        columns.join(", "),
        values.join(", "),
    );
    let (first, last) = staging.span;
    Query::new(sql)
        .with("since", Parameter::Timestamp(first))
        .with("until", Parameter::Timestamp(last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::{bare_event, full_event};

    #[test]
    fn a_line_holds_every_column_in_forms_that_any_reader_of_json_takes() {
        let mut event = full_event(7);
        event.custom_args = Some(r#"{"id":12345678901234567890123,"lat":67.174118,"n":7}"#.to_owned());
        let line = line(&event);
        assert!(
            line.contains(r#""custom_args":"{\"id\":\"12345678901234567890123\",\"lat\":\"67.174118\",\"n\":7}""#),
            "{line}"
        );
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
        let read: Map<String, Json> = serde_json::from_str(&line).unwrap();
        assert_eq!(read.len(), EVENTS.columns.len());
        assert_eq!(read["timestamp"], 1_790_000_000_000_007_i64);
        for field in fields() {
            let value = &read[field["name"].as_str().unwrap()];
            let fits = match (field["type"].as_str().unwrap(), field["mode"].as_str().unwrap()) {
                (_, "REPEATED") => value.is_array(),
                ("INTEGER", _) => value.is_i64(),
                ("BOOLEAN", _) => value.is_boolean(),
                (kind, _) => kind == "STRING" && value.is_string(),
            };
            assert!(fits, "{field}: {value}");
        }
        assert_eq!(super::line(&bare_event(7)).matches("null").count(), 0);
    }
}
