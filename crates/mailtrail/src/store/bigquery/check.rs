//! `bigquery check`: a row of every column type goes in, is read back, and goes again. What no document promises is shown here.

mod locks;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::Value as Json;

use super::Dataset;
use super::deliver::Backoff;
use super::error::{AppendError, BigQueryError};
use super::meta::Entry;
use super::query::{Parameter, Query, Spent};
use super::row;
use super::schema::{Column, EVENTS, Kind, Mode};
use super::write::Appender;
use crate::run::RequestId;
use crate::store::query::EventRecord;

/// The probe's event, which no filter for mail finds.
const PROBE: &str = "mailtrail_probe";
/// How often the append is tried.
const TRIES: usize = 5;

/// What the check did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How long the append took, until acknowledged.
    pub append: std::time::Duration,
    /// Columns that were read back as they were written.
    pub columns: usize,
    /// Why the probe row could not be deleted; `None` where it was.
    pub left_behind: Option<String>,
    /// What it cost.
    pub cost: Cost,
}

/// What was paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Statements.
    pub statements: u64,
    /// Bytes that they read.
    pub bytes_processed: u64,
    /// Bytes that are billed for them.
    pub bytes_billed: u64,
    /// Bytes appended.
    pub bytes_appended: u64,
}

impl Cost {
    fn of(spent: &Spent, bytes_appended: u64) -> Self {
        Self {
            statements: spent.statements.load(Ordering::Relaxed),
            bytes_processed: spent.bytes_processed.load(Ordering::Relaxed),
            bytes_billed: spent.bytes_billed.load(Ordering::Relaxed),
            bytes_appended,
        }
    }
}

impl Dataset {
    /// Appends a probe at `now` (µs since the epoch), reads it back, deletes it, and has owners try for locks.
    ///
    /// # Errors
    /// When anything of it does not work, or a value comes back changed.
    pub async fn check(&self, entries: &[Entry], now: i64) -> Result<Checked, BigQueryError> {
        self.verify(entries).await?;
        let probe = probe(now)?;
        let bytes = row::encode(&row::event(&probe));
        let bytes_appended = bytes.len() as u64;
        let appender = Appender::start(&self.config, self.auth.clone(), &EVENTS)?;
        let begun = tokio::time::Instant::now();
        self.append_probe(&appender, bytes).await.map_err(|error| self.append_failed(error))?;
        let append = begun.elapsed();
        let read = self.read_back(&probe).await;
        let deleted = self.delete(&probe).await;
        let columns = read?;
        self.prove_lock().await?;
        let cost = Cost::of(self.jobs.spent(), bytes_appended);
        Ok(Checked { append, columns, left_behind: deleted.err().map(|error| error.to_string()), cost })
    }

    /// A table that was made a moment ago may not be known everywhere yet, so it is tried a few times.
    async fn append_probe(&self, appender: &Appender, row: Bytes) -> Result<(), AppendError> {
        let mut backoff = Backoff::default();
        for _ in 1..TRIES {
            match appender.append(vec![row.clone()]).await {
                Err(AppendError::Passing(_) | AppendError::Refused { reason: "notFound", .. }) => backoff.wait().await,
                settled => return settled,
            }
        }
        appender.append(vec![row]).await
    }

    fn append_failed(&self, error: AppendError) -> BigQueryError {
        let message = match &error {
            AppendError::Rows(rows) => rows.first().map(|row| row.message.clone()).unwrap_or_default(),
            other => other.to_string(),
        };
        BigQueryError::Unfit(format!(
            "a probe row cannot be appended to {}: {message}",
            self.names.shown(&self.names.table(&EVENTS))
        ))
    }

    /// How many columns came back as written.
    async fn read_back(&self, probe: &EventRecord) -> Result<usize, BigQueryError> {
        let columns: Vec<String> = EVENTS
            .columns
            .iter()
            .map(|column| match column.kind {
                Kind::Json => format!("TO_JSON_STRING(`{0}`) AS `{0}`", column.name),
                Kind::Timestamp => format!("UNIX_MICROS(`{0}`) AS `{0}`", column.name),
                _ => format!("`{}`", column.name),
            })
            .collect();
        let sql = format!("SELECT {} FROM {} WHERE {WHICH}", columns.join(", "), self.names.sql_table(&EVENTS));
        let found = self.jobs.ask(&which(sql, probe)).await?;
        let wrong = |what: String| Err(BigQueryError::Unfit(format!("the probe row {what}")));
        let [cells] = found.rows.as_slice() else {
            return wrong(format!("was acknowledged, and {} of it were found", found.rows.len()));
        };
        for ((column, cell), value) in EVENTS.columns.iter().zip(cells).zip(row::event(probe)) {
            if !same(column, cell, value) {
                return wrong(format!("came back changed: column {} is {cell}", column.name));
            }
        }
        Ok(EVENTS.columns.len())
    }

    async fn delete(&self, probe: &EventRecord) -> Result<(), BigQueryError> {
        let sql = format!("DELETE FROM {} WHERE {WHICH}", self.names.sql_table(&EVENTS));
        self.jobs.ask(&which(sql, probe)).await.map(drop)
    }
}

const WHICH: &str = "timestamp = @timestamp AND event_key = @event_key";

fn which(sql: String, probe: &EventRecord) -> Query {
    Query::new(sql)
        .with("timestamp", Parameter::Timestamp(probe.timestamp))
        .with("event_key", Parameter::Text(probe.event_key.clone()))
}

fn random() -> Result<String, BigQueryError> {
    RequestId::random().map(|id| id.to_string()).map_err(|error| BigQueryError::Unfit(error.to_string()))
}

/// Something in every column, of every kind of text that might be mistaken on the way.
fn probe(now: i64) -> Result<EventRecord, BigQueryError> {
    let text = |name: &str| Some(format!("{name} \"probe\" \\ 日本"));
    let json = |name: &str| Some(format!(r#"{{"{name}":{{"n":1,"t":"\"日本\"","l":[true,null]}}}}"#));
    let key = random()?;
    Ok(EventRecord {
        id: 0,
        sg_event_id: text("sg_event_id"),
        event: PROBE.to_owned(),
        timestamp: now,
        email_hash: text("email_hash"),
        email_domain: text("email_domain"),
        email: None,
        sg_message_id: text("sg_message_id"),
        message_id: text("message_id"),
        smtp_id: text("smtp_id"),
        category: vec!["probe".to_owned(), "日本".to_owned()],
        reason: text("reason"),
        response: text("response"),
        status: text("status"),
        r#type: text("type"),
        bounce_classification: text("bounce_classification"),
        attempt: Some(i64::MAX),
        asm_group_id: Some(-1),
        url: text("url"),
        useragent: text("useragent"),
        ip: text("ip"),
        sg_machine_open: Some(true),
        tls: Some(false),
        run: text("run"),
        recipient: text("recipient"),
        request: text("request"),
        custom_args: json("custom_args"),
        extra: json("extra"),
        received_at: now,
        // Left out of counts of mail, should it stay.
        verified_by: Some("test".to_owned()),
        key_id: text("key_id"),
        event_key: key.clone(),
        fingerprint: key,
    })
}

/// Whether a cell of an answer says what was written. JSON may come back with its keys in another order.
fn same(column: &Column, cell: &Json, written: row::Value<'_>) -> bool {
    let text = cell.as_str();
    let json = |text: &str| serde_json::from_str::<Json>(text).ok();
    match written {
        row::Value::Null => cell.is_null(),
        row::Value::Text(written) if column.kind == Kind::Json => text.and_then(json) == json(written),
        row::Value::Text(written) => text == Some(written),
        row::Value::Integer(written) => text.and_then(|digits| digits.parse().ok()) == Some(written),
        row::Value::Bool(written) => text.and_then(|word| word.parse().ok()) == Some(written),
        row::Value::List(written) => {
            debug_assert_eq!(column.mode, Mode::Repeated, "a list belongs in a list");
            let found = cell.as_array().into_iter().flatten().map(|item| item.get("v").and_then(Json::as_str));
            found.eq(written.iter().map(|text| Some(text.as_str())))
        }
        // Events have none.
        row::Value::Bytes(_) => false,
    }
}
