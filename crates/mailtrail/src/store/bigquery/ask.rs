//! Answers from BigQuery. Every statement says which days it reads, tells apart repetitions itself (after its filters, so that
//! clusters count), and is tried dry first: what would cost too much is not asked.

mod cell;
mod counts;
mod list;
mod select;
mod sql;
mod status;

pub use sql::{EachRow, SqlValue};

use tokio::runtime::Runtime;

use super::Dataset;
use super::error::BigQueryError;
use super::query::{Query, Rows};
use crate::config::BigQuery;
use crate::store::query::{
    Answer, Counted, Dimension, EventRecord, Filter, Group, RecipientStatus, Scanned, Scope, Subject,
};
use crate::store::questions::{AskError, Pages, Questions};

/// A dataset, open for questions.
pub struct Asker {
    dataset: Dataset,
    runtime: Runtime,
}

impl Asker {
    /// Finds the credentials; asks nobody yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub fn open(config: &BigQuery) -> Result<Self, BigQueryError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| BigQueryError::Unfit(format!("the runtime cannot be started: {error}")))?;
        Ok(Self { dataset: Dataset::new(config)?, runtime })
    }

    fn ask(&self, query: &Query) -> Result<Rows, BigQueryError> {
        self.runtime.block_on(async {
            self.dataset.afford(query).await?;
            self.dataset.jobs.ask(query).await
        })
    }
}

impl Dataset {
    /// Whether a question may be asked; what it would read, in bytes.
    async fn afford(&self, query: &Query) -> Result<u64, BigQueryError> {
        let bytes = self.jobs.dry_run(query).await?;
        let limit = self.config.max_bytes_billed;
        if bytes > limit { Err(BigQueryError::TooExpensive { bytes, limit }) } else { Ok(bytes) }
    }
}

/// With what it cost.
fn answer<T>(value: T, since: Option<i64>, bytes: u64) -> Answer<T> {
    let why = "BigQuery reads the columns of all days asked for";
    Answer { value, scanned: Some(Scanned { rows: None, bytes: Some(bytes), since, why: why.into() }) }
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
        Ok(answer(counts::groups(&rows, by.len())?, filter.since, rows.bytes_processed))
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
        Ok(status::latest(self, scope, since, until)?)
    }
}
