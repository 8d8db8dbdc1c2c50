//! Many events at once, of any day: load jobs into a table of their own, and from there each event that is new into the table of
//! events. Streaming takes no days of long ago, and knows no repetitions.

mod job;
mod staging;

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use super::Dataset;
use super::deliver::{Backoff, Pulse};
use super::error::BigQueryError;
use super::meta::{self, Entry};
use super::quarantine::Aside;
use super::query::{Parameter, Query, escaped};
use super::received::record;
use super::rest::Call;
use super::schema::{LABEL, QUARANTINE};
use crate::protect::{BatchRow, ProtectedBatch, SealedRow};
use crate::run::RequestId;
use crate::store::hex::hex;
use staging::{Staging, fields, line, merge};

/// Bytes of one load job: within what is sent in one request, and few enough jobs (Google allows 1,500 a table and day).
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Events that are brought from the table of their own at once: each time, the keys of all their days are read.
const MOST_EVENTS: u64 = 1_000_000;
/// The table of their own vanishes by itself after so long, should nobody be left to remove it.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often a load is tried whose job fails for the moment.
const LOAD_TRIES: u32 = 6;
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
                let record = record(&batch, event);
                self.lines.extend_from_slice(line(&record).as_bytes());
                self.waiting += 1;
                let staging = self.staging()?;
                staging.events += 1;
                staging.span = (staging.span.0.min(record.timestamp), staging.span.1.max(record.timestamp));
            }
            self.seal_away(&batch, &mut loaded)?;
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
        let configuration = json!({ "labels": { LABEL: "import" }, "load": {
            "destinationTable": self.dataset.reference(&staging.name),
            "sourceFormat": "NEWLINE_DELIMITED_JSON",
            "writeDisposition": "WRITE_APPEND",
            "createDisposition": "CREATE_NEVER",
            "schema": { "fields": fields() },
        } });
        let mut backoff = Backoff::default();
        let mut tries = 1;
        loop {
            // A job that failed loaded nothing; the next one has another name.
            let id = format!("mailtrail_import_{}", random()?);
            let load = json!({
                "jobReference": { "projectId": self.dataset.names.project(), "jobId": id },
                "configuration": &configuration,
            });
            match self.runtime.block_on(job::run(&self.dataset, load, &self.lines)) {
                Ok(()) => break,
                Err(error) if error.is_temporary() && tries < LOAD_TRIES => {
                    tracing::warn!("{error}; the load is tried again");
                    self.runtime.block_on(backoff.wait());
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
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
