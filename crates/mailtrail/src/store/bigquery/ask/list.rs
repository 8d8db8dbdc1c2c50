//! Events themselves: searched, told, exported.

use super::select::select;
use super::{Asker, answer, cell};
use crate::clock;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Page, Query};
use crate::store::query::{Answer, EventRecord, Filter};
use crate::store::questions::AskError;

/// Newest first.
pub(super) const BY_TIME: &str = "timestamp DESC, received_at DESC, event_key DESC";
/// Received last first.
pub(super) const BY_RECEIPT: &str = "received_at DESC, timestamp DESC, event_key DESC";

/// SendGrid repeats for a day, and events come in late: so far back the newest ones are looked for. In µs.
pub(super) const RECENT: i64 = 3 * 86_400 * 1_000_000;

/// The first event time that [`Questions::newest`](crate::store::questions::Questions::newest) looks at.
pub(super) fn recently() -> i64 {
    clock::now_micros() - RECENT
}

pub(super) fn newest_of(names: &Names, filter: &Filter, limit: usize, order: &str) -> Query {
    let mut query = select(names, filter, &cell::columns());
    query.sql.push_str(&format!(" ORDER BY {order} LIMIT {limit}"));
    query
}

/// An answer that is fetched page by page.
pub(super) struct Paged<'a> {
    asker: &'a Asker,
    filter: &'a Filter,
    size: usize,
    last: Option<Page>,
    ended: bool,
}

impl<'a> Paged<'a> {
    pub(super) fn new(asker: &'a Asker, filter: &'a Filter, size: usize) -> Self {
        Self { asker, filter, size, last: None, ended: false }
    }

    fn fetch(&mut self) -> Result<Option<Answer<Vec<EventRecord>>>, BigQueryError> {
        let dataset = &self.asker.dataset;
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        let page = match self.last.take() {
            None => {
                let mut query = select(&dataset.names, self.filter, &cell::columns());
                query.sql.push_str(" ORDER BY timestamp, event_key");
                self.asker.blocking.wait(async {
                    dataset.afford(&query).await?;
                    dataset.jobs.first(&query, size).await
                })?
            }
            Some(last) => match self.asker.blocking.wait(dataset.jobs.next(&last, size))? {
                Some(page) => page,
                None => return Ok(None),
            },
        };
        let events = cell::records(&page.rows)?;
        let found = answer(events, self.filter.since, page.rows.bytes_processed);
        self.last = Some(page);
        Ok(Some(found))
    }
}

impl Iterator for Paged<'_> {
    type Item = Result<Answer<Vec<EventRecord>>, AskError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.fetch() {
            Ok(Some(page)) => Some(Ok(page)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error.into()))
            }
        }
    }
}
