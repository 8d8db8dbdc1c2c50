//! Many events at once, of any day: load jobs into a table of their own, and from there each event that is new into the table of
//! events. Streaming takes no days of long ago, and knows no repetitions.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value as Json, json};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::Dataset;
use super::deliver::Pulse;
use super::error::BigQueryError;
use super::meta::{self, Entry};
use super::quarantine::Aside;
use super::query::{Parameter, Query, escaped};
use super::received::{hex, record};
use super::rest::Call;
use super::row::{self, Value};
use super::schema::{EVENTS, Kind, LABEL, Mode, QUARANTINE};
use crate::protect::{BatchRow, ProtectedBatch, SealedRow};
use crate::run::RequestId;
use crate::store::query::EventRecord;

/// Bytes of one load job: within what is sent in one request, and few enough jobs (Google allows 1,500 a table and day).
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Events that are brought from the table of their own at once: each time, the keys of all their days are read.
const MOST_EVENTS: u64 = 1_000_000;
/// The table of their own vanishes by itself after so long, should nobody be left to remove it.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a load job may take.
const LONGEST: Duration = Duration::from_secs(1800);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What became of events and sealed items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// New events.
    pub stored: u64,
    /// What was there already.
    pub duplicate: u64,
    /// New entries in quarantine.
    pub quarantined: u64,
}

/// Brings events in. What was added is settled by [`settle`](Self::settle) alone.
pub struct Loader {
    dataset: Dataset,
    runtime: Runtime,
    staging: Option<Staging>,
    lines: Vec<u8>,
    waiting: u64,
}

/// The table of their own.
struct Staging {
    name: String,
    events: u64,
    /// Event times, µs since the epoch: the first and the last.
    span: (i64, i64),
}

/// Counts nothing: an import tells what became of everything itself.
struct Silent;

impl Pulse for Silent {
    fn taken(&self, _rows: usize) {}

    fn requests_taken(&self) -> u64 {
        0
    }

    fn trouble(&self, why: &str) {
        tracing::warn!("{why}");
    }
}

impl Loader {
    /// Looks whether the table is there, is ours, and was begun with these keys.
    ///
    /// # Errors
    /// When it is not so, or BigQuery cannot be asked.
    pub fn open(dataset: Dataset, entries: &[Entry]) -> Result<Self, BigQueryError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| BigQueryError::Unfit(format!("the runtime cannot be started: {error}")))?;
        runtime.block_on(dataset.verify(entries))?;
        Ok(Self { dataset, runtime, staging: None, lines: Vec::new(), waiting: 0 })
    }

    /// Takes batches; what becomes of sealed items is known at once, of events only when they are settled.
    ///
    /// # Errors
    /// When BigQuery does not take them.
    pub fn add(&mut self, batches: &[ProtectedBatch]) -> Result<Loaded, BigQueryError> {
        let mut loaded = Loaded::default();
        for batch in batches.iter().map(ProtectedBatch::rows) {
            for event in &batch.events {
                let record = record(batch, event);
                self.lines.extend_from_slice(line(&record).as_bytes());
                self.waiting += 1;
                let staging = self.staging()?;
                staging.events += 1;
                staging.span = (staging.span.0.min(record.timestamp), staging.span.1.max(record.timestamp));
            }
            self.seal_away(batch, &mut loaded)?;
        }
        if self.lines.len() >= MOST_BYTES {
            self.load()?;
        }
        if self.staging.as_ref().is_some_and(|staging| staging.events >= MOST_EVENTS) {
            let settled = self.settle()?;
            loaded.stored += settled.stored;
            loaded.duplicate += settled.duplicate;
        }
        Ok(loaded)
    }

    /// Brings what was added into the table of events, each event once.
    ///
    /// # Errors
    /// When BigQuery refuses or cannot be asked; to begin again costs nothing but time.
    pub fn settle(&mut self) -> Result<Loaded, BigQueryError> {
        self.load()?;
        let Some(staging) = self.staging.take() else { return Ok(Loaded::default()) };
        let merged = self.runtime.block_on(self.dataset.jobs.ask(&merge(&self.dataset, &staging)));
        self.remove(&staging);
        let stored = merged?.changed.min(staging.events);
        Ok(Loaded { stored, duplicate: staging.events - stored, quarantined: 0 })
    }

    fn staging(&mut self) -> Result<&mut Staging, BigQueryError> {
        if self.staging.is_none() {
            let name = format!("mailtrail_import_{}", random()?);
            let expires = crate::clock::now_micros() / 1000 + i64::try_from(KEPT.as_millis()).unwrap_or_default();
            let body = json!({
                "tableReference": self.dataset.reference(&name),
                "description": "Events on their way into the table of events; removed when they are there.",
                "labels": { LABEL: "import" },
                "expirationTime": expires.to_string(),
                "schema": { "fields": fields() },
            });
            let call = Call {
                method: Method::POST,
                path: format!("{}/tables", self.dataset.path()),
                body: Some(body),
                doing: "create a table for events on their way",
                permission: "bigquery.tables.create",
            };
            match self.runtime.block_on(self.dataset.rest.call(&call)) {
                // The first of two tries made it: nobody else draws that name.
                Err(BigQueryError::Refused { reason, .. }) if reason == "duplicate" => {}
                made => drop(made?),
            }
            return Ok(self.staging.insert(Staging { name, events: 0, span: (i64::MAX, i64::MIN) }));
        }
        // There is one, or it has just been made.
        self.staging.as_mut().ok_or_else(|| BigQueryError::Unfit("no table for events on their way".to_owned()))
    }

    fn load(&mut self) -> Result<(), BigQueryError> {
        let Some(staging) = &self.staging else { return Ok(()) };
        if self.waiting == 0 {
            return Ok(());
        }
        let job = json!({
            "jobReference": { "projectId": self.dataset.names.project(), "jobId": format!("mailtrail_import_{}", random()?) },
            "configuration": { "labels": { LABEL: "import" }, "load": {
                "destinationTable": self.dataset.reference(&staging.name),
                "sourceFormat": "NEWLINE_DELIMITED_JSON",
                "writeDisposition": "WRITE_APPEND",
                "createDisposition": "CREATE_NEVER",
                "schema": { "fields": fields() },
            } },
        });
        self.runtime.block_on(run_job(&self.dataset, job, &self.lines))?;
        self.lines.clear();
        self.waiting = 0;
        Ok(())
    }

    /// Keeps what could not be read, each item once.
    fn seal_away(&self, batch: &BatchRow<String>, loaded: &mut Loaded) -> Result<(), BigQueryError> {
        if batch.sealed.is_empty() {
            return Ok(());
        }
        let key = |sealed: &SealedRow<String>| hex(&sealed.item_key);
        let table = self.dataset.names.sql_table(&QUARANTINE);
        let query = Query::new(format!("SELECT item_key FROM {table} WHERE item_key IN UNNEST(@keys)"))
            .with("keys", Parameter::Texts(batch.sealed.iter().map(key).collect()));
        self.runtime.block_on(async {
            let rows = self.dataset.jobs.ask(&query).await?.rows;
            let text = |row: &Vec<Json>| row.first().and_then(Json::as_str).map(str::to_owned);
            let mut known: HashSet<String> = rows.iter().filter_map(text).collect();
            let new: Vec<Aside> = batch
                .sealed
                .iter()
                .filter(|sealed| known.insert(key(sealed)))
                .map(|sealed| Aside::sealed(batch, sealed))
                .collect();
            loaded.quarantined += new.len() as u64;
            loaded.duplicate += (batch.sealed.len() - new.len()) as u64;
            self.dataset.quarantine_writer()?.keep(new, &Silent).await;
            Ok(())
        })
    }

    fn remove(&self, staging: &Staging) {
        let call = Call {
            method: Method::DELETE,
            path: format!("{}/tables/{}", self.dataset.path(), escaped(&staging.name)),
            body: None,
            doing: "remove the table of events on their way",
            permission: "bigquery.tables.delete",
        };
        if let Err(error) = self.runtime.block_on(self.dataset.rest.call(&call)) {
            tracing::warn!("{} stays for a day: {error}", self.dataset.names.shown(&staging.name));
        }
    }

    /// Remembers how many events of a source were left out because nobody knows whom they are about.
    ///
    /// # Errors
    /// When BigQuery refuses or cannot be asked.
    pub fn note_left_out(&self, source: &str, events: u64) -> Result<(), BigQueryError> {
        let (jobs, names) = (&self.dataset.jobs, &self.dataset.names);
        self.runtime.block_on(meta::note_left_out(jobs, names, source, events))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Some(staging) = self.staging.take() {
            self.remove(&staging);
        }
    }
}

fn random() -> Result<String, BigQueryError> {
    let id = RequestId::random().map_err(|_| BigQueryError::Unfit("the system gives no randomness".to_owned()))?;
    Ok(id.to_string().chars().filter(char::is_ascii_alphanumeric).collect())
}

/// Sends a load job, and waits for its end.
async fn run_job(dataset: &Dataset, job: Json, lines: &[u8]) -> Result<(), BigQueryError> {
    let doing = "load events";
    let project = escaped(dataset.names.project());
    let mut answer = match dataset.rest.upload(&format!("projects/{project}/jobs"), &job, lines, doing).await {
        // Sent twice, and taken the first time: it is asked for by its name.
        Err(BigQueryError::Refused { reason, .. }) if reason == "duplicate" => job.clone(),
        answer => answer?,
    };
    let begun = Instant::now();
    loop {
        if answer.pointer("/status/state").and_then(Json::as_str) == Some("DONE") {
            let Some(error) = answer.pointer("/status/errorResult") else { return Ok(()) };
            let text = |key| error.get(key).and_then(Json::as_str).unwrap_or("unknown").to_owned();
            return Err(BigQueryError::Refused {
                doing: doing.to_owned(),
                reason: text("reason"),
                message: super::error::harmless(&text("message")),
                permission: "bigquery.tables.updateData",
            });
        }
        if begun.elapsed() > LONGEST {
            let why = format!("not done within {} minutes", LONGEST.as_secs() / 60);
            return Err(BigQueryError::Answer { doing: doing.to_owned(), why });
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let id = answer.pointer("/jobReference/jobId").and_then(Json::as_str).unwrap_or_default();
        let location = answer.pointer("/jobReference/location").and_then(Json::as_str);
        let location = location.map(|place| format!("?location={}", escaped(place))).unwrap_or_default();
        let call = Call {
            method: Method::GET,
            path: format!("projects/{project}/jobs/{}{location}", escaped(id)),
            body: None,
            doing,
            permission: "bigquery.jobs.get",
        };
        answer = dataset.rest.call(&call).await?;
    }
}

/// The columns of the table of their own: times as numbers and JSON as text, which every reader of JSON takes as they are.
fn fields() -> Vec<Json> {
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

fn line(event: &EventRecord) -> String {
    let mut object = Map::new();
    for (column, value) in EVENTS.columns.iter().zip(row::event(event)) {
        let value = match value {
            Value::Null | Value::Bytes(_) => continue,
            Value::Text(text) if column.kind == Kind::Json => super::json::exact(text).into(),
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
fn merge(dataset: &Dataset, staging: &Staging) -> Query {
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
    use super::super::testing::{bare_event, full_event};
    use super::*;

    #[test]
    fn a_line_holds_every_column_in_forms_that_any_reader_of_json_takes() {
        let mut event = full_event(7);
        event.custom_args = Some(r#"{"id":12345678901234567890123}"#.to_owned());
        let line = line(&event);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
        let read: Map<String, Json> = serde_json::from_str(&line).unwrap();
        assert_eq!(read.len(), EVENTS.columns.len());
        assert_eq!(read["timestamp"], 1_790_000_000_000_007_i64);
        assert_eq!(read["custom_args"], r#"{"id":"12345678901234567890123"}"#);
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
