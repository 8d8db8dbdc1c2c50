//! Questions to the ledger in BigQuery.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::protect::EmailHash;
use crate::run::{RecipientId, RequestId};
use crate::store::bigquery::ask::Asker;
use crate::store::bigquery::ask::cell::{Cells, odd};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::meta;
use crate::store::bigquery::query::{Parameter, Query, Rows};
use crate::store::bigquery::schema::RUNS;
use crate::store::ledger::{Asked, Ledger, LedgerError, OnRecord, Refusal, RunRecord, Sent};
use crate::store::query::Scope;

use super::sql;
use super::step::Claimed;

/// The ledger, for reading.
pub(in crate::store::bigquery) struct RunReader {
    asker: Arc<Asker>,
    /// When runs were begun, µs: that never changes.
    begun: RefCell<HashMap<String, i64>>,
}

/// A run's row.
struct Run {
    begun_at: Option<i64>,
    sandbox_at: Option<i64>,
}

impl RunReader {
    pub(in crate::store::bigquery) fn new(asker: &Arc<Asker>) -> Self {
        Self { asker: Arc::clone(asker), begun: RefCell::default() }
    }

    fn row(&self, name: &str) -> Result<Option<Run>, BigQueryError> {
        let sql = format!(
            "SELECT COUNT(*), MIN(begun_at), MAX(sandbox_at) FROM {} WHERE name = @run",
            self.asker.dataset.names.sql_table(&RUNS)
        );
        let found = self.asker.ask_at_once(&Query::new(sql).with("run", Parameter::Text(name.to_owned())).fresh())?;
        let Some(row) = found.rows.first() else { return Ok(None) };
        let mut cells = Cells::new(row);
        if cells.count()? == 0 {
            return Ok(None);
        }
        let run = Run { begun_at: cells.integer()?, sandbox_at: cells.integer()? };
        if let Some(begun_at) = run.begun_at {
            self.begun.borrow_mut().insert(name.to_owned(), begun_at);
        }
        Ok(Some(run))
    }
}

impl Ledger for RunReader {
    fn run_names(&self) -> Result<Vec<String>, LedgerError> {
        let sql = format!(
            "SELECT name, IFNULL(MIN(begun_at), MAX(sandbox_at)) AS since FROM {} GROUP BY name ORDER BY since DESC, name",
            self.asker.dataset.names.sql_table(&RUNS)
        );
        let found = self.asker.ask_at_once(&Query::new(sql).fresh())?;
        Ok(found.rows.iter().map(|row| Cells::new(row).needed()).collect::<Result<_, BigQueryError>>()?)
    }

    fn run(&self, name: &str) -> Result<Option<OnRecord>, LedgerError> {
        let Some(run) = self.row(name)? else { return Ok(None) };
        let Some(begun_at) = run.begun_at else {
            let record = RunRecord {
                name: name.to_owned(),
                begun_at: run.sandbox_at.unwrap_or_default(),
                accepted_at: None,
                send_at: None,
                sandbox: true,
                counts: Vec::new(),
            };
            return Ok(Some(OnRecord { record, recipients: Vec::new() }));
        };
        let rows = self.asker.ask_at_once(&sql::of_run(&self.asker.dataset.names, name, begun_at))?;
        let found = asked(&rows)?;
        let mut counts: HashMap<Sent, u64> = HashMap::new();
        for (one, _) in &found {
            *counts.entry(one.sent).or_default() += 1;
        }
        let mut counts: Vec<(Sent, u64)> = counts.into_iter().collect();
        counts.sort_unstable();
        let accepted = found.iter().filter(|(one, _)| one.sent == Sent::Accepted);
        let record = RunRecord {
            name: name.to_owned(),
            begun_at,
            accepted_at: accepted.map(|(one, _)| one.at).max(),
            send_at: found.iter().filter_map(|(_, send_at)| *send_at).max(),
            sandbox: run.sandbox_at.is_some() && counts.is_empty(),
            counts,
        };
        Ok(Some(OnRecord { record, recipients: found.into_iter().map(|(one, _)| one).collect() }))
    }

    /// How many steps there are: none ever goes.
    fn place(&self, scope: &Scope, since: i64) -> Result<i64, LedgerError> {
        let run = match scope {
            Scope::Run(run) => run,
            Scope::Category(category) => {
                let query = sql::steps_of_category(&self.asker.dataset.names, category, since);
                let found = self.asker.ask_at_once(&query)?;
                return Ok(found.rows.first().map_or(Ok(0), |row| Cells::new(row).time())?);
            }
        };
        let known = self.begun.borrow().get(run).copied();
        let begun_at = match known {
            Some(begun_at) => begun_at,
            None => match self.row(run)? {
                Some(Run { begun_at: Some(begun_at), .. }) => begun_at,
                Some(Run { sandbox_at, .. }) => return Ok(-sandbox_at.unwrap_or(1)),
                None => return Ok(0),
            },
        };
        let found = self.asker.ask_at_once(&sql::steps_of_run(&self.asker.dataset.names, run, begun_at))?;
        let count = found.rows.first().map_or(Ok(0), |row| Cells::new(row).time())?;
        // A run that is begun differs from none.
        Ok(count + 1)
    }

    fn hash_keys(&self) -> Result<Vec<String>, LedgerError> {
        let dataset = &self.asker.dataset;
        let mut keys = self.asker.blocking.wait(meta::hash_keys(&dataset.jobs, &dataset.names))?;
        for row in &self.asker.ask_at_once(&sql::keys(&dataset.names))?.rows {
            keys.push(Cells::new(row).needed()?);
        }
        Ok(keys)
    }

    fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        let query = sql::of_category(&self.asker.dataset.names, category, since);
        let found = asked(&self.asker.ask_at_once(&query)?)?;
        Ok(found.into_iter().map(|(one, _)| one).filter(|one| one.at >= since).collect())
    }
}

/// Recipients, each with the time before which its mail is not to be delivered.
pub(super) fn asked(rows: &Rows) -> Result<Vec<(Asked, Option<i64>)>, BigQueryError> {
    let one = |row: &Vec<_>| {
        let mut cells = Cells::new(row);
        // A struct's fields are evaluated as written.
        let mut asked = Asked {
            hash: parsed(&cells.needed()?, EmailHash::parse)?,
            sent: parsed(&cells.needed()?, Sent::parse)?,
            attempt: number(cells.integer()?)?,
            recipient: parsed(&cells.needed()?, RecipientId::parse)?,
            request: parsed(&cells.needed()?, RequestId::parse)?,
            message_id: cells.text(),
            at: cells.time()?,
            refusal: None,
        };
        let send_at = cells.integer()?;
        let status = cells.integer()?.and_then(|status| u16::try_from(status).ok());
        asked.refusal = Refusal::of(asked.sent, status, cells.text());
        Ok((asked, send_at))
    };
    rows.rows.iter().map(one).collect()
}

/// The answer of [`sql::unfinished`].
pub(super) fn claimed(rows: &Rows) -> Result<Vec<(Sent, Claimed)>, BigQueryError> {
    let one = |row: &Vec<_>| {
        let mut cells = Cells::new(row);
        let hash = parsed(&cells.needed()?, EmailHash::parse)?;
        let sent = parsed(&cells.needed()?, Sent::parse)?;
        let claimed = Claimed {
            hash,
            attempt: number(cells.integer()?)?,
            recipient: parsed(&cells.needed()?, RecipientId::parse)?,
            request: parsed(&cells.needed()?, RequestId::parse)?,
            key_id: cells.needed()?,
            category: cells.list(),
            send_at: cells.integer()?,
        };
        Ok((sent, claimed))
    };
    rows.rows.iter().map(one).collect()
}

fn parsed<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, BigQueryError> {
    parse(text).ok_or_else(|| odd("the ledger holds what mailtrail did not write"))
}

fn number(number: Option<i64>) -> Result<u32, BigQueryError> {
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| odd("an attempt has no number"))
}
