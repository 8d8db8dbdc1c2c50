//! Answers from BigQuery. Every statement says which days it reads, tells apart repetitions itself (after its filters, so that
//! clusters count), and is tried dry first: what would cost too much is not asked.

mod browse;
pub(super) mod cell;
mod counts;
mod list;
mod outcomes;
mod select;
mod sql;
mod status;
mod tail;

pub(super) use sql::value;
pub use sql::{EachRow, SqlValue};
pub use tail::Tail;

use std::sync::OnceLock;

use super::Dataset;
use super::blocking::Blocking;
use super::error::BigQueryError;
use super::query::{Parameter, Query, Rows};
use crate::config::BigQuery;
use crate::store::query::{
    Answer, Counted, Dimension, EventRecord, Filter, Group, Mailed, RecipientStatus, Scanned, Scope, Subject,
};
use crate::store::questions::{AskError, Pages, Questions};

/// A dataset, open for questions.
pub struct Asker {
    pub(super) dataset: Dataset,
    pub(super) blocking: Blocking,
    /// Since when events need to be vouched for, once that was asked.
    keyed: OnceLock<Option<i64>>,
}

impl Asker {
    /// Finds the credentials; asks nobody yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub fn open(config: &BigQuery) -> Result<Self, BigQueryError> {
        Ok(Self { dataset: Dataset::new(config)?, blocking: Blocking::new()?, keyed: OnceLock::new() })
    }

    fn ask(&self, query: &Query) -> Result<Rows, BigQueryError> {
        self.blocking.wait(async {
            self.dataset.afford(query).await?;
            self.dataset.jobs.ask(query).await
        })
    }

    /// Without looking first at what it would cost; BigQuery still refuses what costs more than allowed.
    pub(super) fn ask_at_once(&self, query: &Query) -> Result<Rows, BigQueryError> {
        self.blocking.wait(self.dataset.jobs.ask(query))
    }
}

impl Dataset {
    /// Whether a question may be asked; what it would read, in bytes.
    pub(super) async fn afford(&self, query: &Query) -> Result<u64, BigQueryError> {
        let bytes = self.jobs.dry_run(query).await?;
        let limit = self.config.max_bytes_billed;
        if bytes > limit { Err(BigQueryError::TooExpensive { bytes, limit }) } else { Ok(bytes) }
    }
}

impl Dataset {
    /// When the newest event was posted that fulfils a filter, of those received since a time (µs since the epoch). What is imported
    /// or comes from SendGrid's logs was not posted.
    pub(super) fn newest_received(&self, filter: &Filter, since: i64) -> Query {
        let filter = Filter { since: Some(since.saturating_sub(list::RECENT)), ..filter.clone() };
        let mut query = select::select(&self.names, &filter, "received_at, verified_by");
        query.sql = format!(
            "SELECT MAX(received_at) FROM ({}) WHERE received_at > @received AND IFNULL(verified_by, '') NOT IN ('import', 'api')",
            query.sql
        );
        query.with("received", Parameter::Timestamp(since))
    }
}

/// With what it cost.
fn answer<T>(value: T, since: Option<i64>, bytes: u64) -> Answer<T> {
    let why = "BigQuery reads the columns of all days asked for";
    Answer { value, scanned: Some(Scanned { bytes: Some(bytes), since, why: why.into() }) }
}

impl Questions for Asker {
    fn activity(&self, filter: &Filter, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        let query = list::newest_of(&self.dataset.names, filter, limit, list::BY_TIME);
        let rows = self.ask(&query)?;
        Ok(answer(cell::records(&rows)?, filter.since, rows.bytes_processed))
    }

    fn timeline(&self, subject: &Subject, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        let mut filter = Filter { include_tests: true, ..Filter::default() };
        match subject {
            // An empty list would ask for everything.
            Subject::Hashes(hashes) if hashes.is_empty() => return Ok(answer(Vec::new(), None, 0)),
            Subject::Hashes(hashes) => filter.hashes.clone_from(hashes),
            Subject::Message(id) => filter.messages.push(id.clone()),
        }
        let mut found = self.activity(&filter, limit)?;
        found.value.reverse();
        Ok(found)
    }

    fn newest(&self, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        let filter = Filter { include_tests: true, since: Some(list::recently()), ..Filter::default() };
        let rows = self.ask(&list::newest_of(&self.dataset.names, &filter, limit, list::BY_RECEIPT))?;
        let mut events = cell::records(&rows)?;
        events.reverse();
        Ok(answer(events, filter.since, rows.bytes_processed))
    }

    /// One question, whose answer is fetched page by page: BigQuery keeps it.
    fn pages<'a>(&'a self, filter: &'a Filter, size: usize) -> Pages<'a> {
        Box::new(list::Paged::new(self, filter, size))
    }

    fn stats(&self, filter: &Filter, by: &[Dimension], counted: Counted) -> Result<Answer<Vec<Group>>, AskError> {
        let rows = self.ask(&counts::stats(&self.dataset.names, filter, by, counted))?;
        Ok(answer(counts::groups(&rows, by, filter.zone.as_ref())?, filter.since, rows.bytes_processed))
    }

    fn repeats(&self, filter: &Filter) -> Result<u64, AskError> {
        let rows = self.ask(&counts::repeats(&self.dataset.names, filter))?;
        Ok(rows.rows.first().map(|row| cell::Cells::new(row).count()).transpose()?.unwrap_or(0))
    }

    fn latest_status(
        &self,
        scope: &Scope,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Vec<RecipientStatus>, AskError> {
        let mailed = Mailed { scope: scope.clone(), since, until, unproven: false };
        Ok(status::outcomes(self, &mailed)?.into_iter().map(|outcome| outcome.status).collect())
    }
}
