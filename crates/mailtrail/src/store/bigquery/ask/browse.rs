//! Events by their place, for who turns pages in a list.

use super::cell::{self, Cells};
use super::select::select;
use super::{Asker, answer};
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::query::{Answer, EventRecord, Filter, Place};
use crate::store::questions::AskError;

impl Asker {
    /// The newest events that fulfil a filter, newest first, and of those of one moment the largest key first; with a place only
    /// those behind it.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed.
    pub fn browse(
        &self,
        filter: &Filter,
        behind: Option<&Place>,
        limit: usize,
    ) -> Result<Answer<Vec<EventRecord>>, AskError> {
        let until = behind.map(|place| place.timestamp.saturating_add(1));
        let until = filter.until.into_iter().chain(until).min();
        let mut query = select(&self.dataset.names, &Filter { until, ..filter.clone() }, &cell::columns());
        if let Some(place) = behind {
            let condition = "timestamp < @moment OR event_key < @key";
            query = narrowed(query, condition).with("moment", Parameter::Timestamp(place.timestamp));
            query = query.with("key", Parameter::Text(place.event_key.clone()));
        }
        query.sql.push_str(&format!(" ORDER BY timestamp DESC, event_key DESC LIMIT {limit}"));
        let rows = self.ask(&query)?;
        Ok(answer(cell::records(&rows)?, filter.since, rows.bytes_processed))
    }

    /// One event; `None` where it is not there.
    ///
    /// # Errors
    /// As [`browse`](Self::browse).
    pub fn event(&self, place: &Place) -> Result<Option<EventRecord>, AskError> {
        let (since, until) = (Some(place.timestamp), Some(place.timestamp.saturating_add(1)));
        let filter = Filter { since, until, include_tests: true, ..Filter::default() };
        let query = narrowed(select(&self.dataset.names, &filter, &cell::columns()), "event_key = @key");
        let rows = self.ask(&query.with("key", Parameter::Text(place.event_key.clone())))?;
        Ok(cell::records(&rows)?.pop())
    }

    /// How many openings were a machine's and not a reader's (`sg_machine_open`).
    ///
    /// # Errors
    /// As [`browse`](Self::browse).
    pub fn machine_opens(&self, filter: &Filter) -> Result<u64, AskError> {
        let mut query = select(&self.dataset.names, filter, "event, sg_machine_open");
        query.sql =
            format!("WITH found AS ({}) SELECT COUNTIF(event = 'open' AND sg_machine_open) FROM found", query.sql);
        let rows = self.ask(&query)?;
        Ok(rows.rows.first().map(|row| Cells::new(row).count()).transpose()?.unwrap_or(0))
    }
}

fn narrowed(query: Query, condition: &str) -> Query {
    Query { sql: format!("WITH found AS ({}) SELECT * FROM found WHERE {condition}", query.sql), ..query }
}
