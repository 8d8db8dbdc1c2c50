//! Events in about the order they were received, each once, by asking again and again.
//!
//! BigQuery has no cursor. Rows are found by `received_at`, which many receivers write by clocks of their own, and a row may become
//! visible after others that were received later. So each look also reads what came in shortly before the place up to which was
//! read, and leaves out what was read already ([`Seen`]).

use serde_json::Value;

use super::Dataset;
use super::ask::cell::Cells;
use super::error::BigQueryError;
use super::query::{Page, Parameter, Query};
use super::schema::EVENTS;
use super::seen::Seen;

/// So much older than its receipt an event may be, µs: SendGrid repeats for a day. Days before are not read, since each one costs.
const OLDEST: i64 = 3 * 86_400 * 1_000_000;
/// No event is later: 2100-01-01.
const LATEST: i64 = 4_102_444_800_000_000;
/// Rows fetched at once.
const PAGE: u32 = 5_000;

/// Which events are read, and what of them.
pub(super) struct Shape {
    /// Columns or expressions with names, separated by commas.
    pub(super) columns: String,
    /// What vouches for events that are left out.
    pub(super) without: &'static [&'static str],
}

/// What is new.
pub(super) struct News<T> {
    /// With whether each was read before this began.
    pub(super) items: Vec<(T, bool)>,
    /// Up to this time of receipt all is read now, µs since the epoch.
    pub(super) read_to: i64,
    /// Whether the look has more.
    pub(super) more: bool,
}

/// A look whose answer is not read to its end.
struct Open {
    page: Page,
    /// When it was begun, by our clock.
    begun: i64,
}

/// Reads what comes in.
pub(super) struct Arrivals {
    dataset: Dataset,
    shape: Shape,
    overlap: i64,
    pub(super) seen: Seen,
    open: Option<Open>,
}

impl Arrivals {
    /// `overlap`: how far before its place a look begins, µs.
    pub(super) fn new(dataset: &Dataset, shape: Shape, overlap: i64, seen: Seen) -> Self {
        Self { dataset: dataset.clone(), shape, overlap, seen, open: None }
    }

    /// Reads on behind `after`, where a look is not begun already. `now`: µs since the epoch.
    pub(super) async fn next<T>(
        &mut self,
        after: i64,
        names: Option<&[String]>,
        now: i64,
        read: impl Fn(i64, &mut Cells<'_>) -> Result<T, BigQueryError>,
    ) -> Result<News<T>, BigQueryError> {
        // What fails is begun anew, from the same place.
        let open = match self.open.take() {
            None => {
                let query = self.query(after, names);
                self.dataset.afford(&query).await?;
                Some(Open { page: self.dataset.jobs.first(&query, PAGE).await?, begun: now })
            }
            Some(last) => {
                let page = self.dataset.jobs.next(&last.page, PAGE).await?;
                page.map(|page| Open { page, begun: last.begun })
            }
        };
        let Some(open) = open else { return Ok(News { items: Vec::new(), read_to: after.max(now), more: false }) };
        let (mut items, mut last) = (Vec::new(), after);
        for row in &open.page.rows.rows {
            let (key, received_at) = place(row)?;
            last = last.max(received_at);
            if let Some(known) = self.seen.meet(&key, received_at) {
                let mut cells = Cells::new(row.get(2..).unwrap_or_default());
                items.push((read(received_at, &mut cells)?, known));
            }
        }
        let more = open.page.has_more();
        // Others of the last row's microsecond may be on the next page. A clock of the future must not hide what comes in by the others'.
        let read_to = after.max(if more { (last - 1).min(open.begun) } else { open.begun });
        if more {
            self.open = Some(open);
        } else {
            self.seen.forget_before(read_to.saturating_sub(self.overlap));
        }
        Ok(News { items, read_to, more })
    }

    /// What one look would read, in bytes; costs nothing.
    pub(super) async fn cost(&self, after: i64, names: Option<&[String]>) -> Result<u64, BigQueryError> {
        self.dataset.jobs.dry_run(&self.query(after, names)).await
    }

    /// Where a look begins.
    pub(super) fn overlapping(&self, after: i64) -> i64 {
        after.saturating_sub(self.overlap)
    }

    fn query(&self, after: i64, names: Option<&[String]>) -> Query {
        let after = self.overlapping(after);
        let mut sql = format!(
            "SELECT event_key, received_at, {} FROM {} WHERE timestamp >= @since AND timestamp < @until",
            self.shape.columns,
            self.dataset.names.sql_table(&EVENTS)
        );
        if !self.shape.without.is_empty() {
            let without: Vec<String> = self.shape.without.iter().map(|name| format!("'{name}'")).collect();
            sql.push_str(&format!(" AND IFNULL(verified_by, '') NOT IN ({})", without.join(", ")));
        }
        if names.is_some() {
            sql.push_str(" AND event IN UNNEST(@names)");
        }
        // The repetition received first counts, so that one of an event that was read long ago is not new.
        let sql = format!(
            "SELECT * FROM ({sql} QUALIFY ROW_NUMBER() OVER (PARTITION BY timestamp, event_key ORDER BY received_at) = 1)
             WHERE received_at > @after ORDER BY received_at, event_key"
        );
        let query = Query::new(sql)
            .with("since", Parameter::Timestamp(after.saturating_sub(OLDEST)))
            .with("until", Parameter::Timestamp(LATEST))
            .with("after", Parameter::Timestamp(after));
        match names {
            Some(names) => query.with("names", Parameter::Texts(names.to_vec())),
            None => query,
        }
    }
}

fn place(row: &[Value]) -> Result<(String, i64), BigQueryError> {
    let mut cells = Cells::new(row);
    Ok((cells.needed()?, cells.time()?))
}
