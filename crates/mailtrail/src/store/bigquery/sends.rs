//! Sends on record in BigQuery.

use std::sync::Arc;
use std::time::Duration;

use super::ask::Asker;
use super::ask::cell::Cells;
use super::error::BigQueryError;
use super::ledger::{HeldRun, RunReader, holder, note_sandbox};
use super::query::{Parameter, Query};
use super::schema::TOLD;
use crate::config::BigQuery;
use crate::run::RunName;
use crate::store::keys::{Identity, Keys};
use crate::store::ledger::{Claims, Ledger, LedgerError};
use crate::store::outcomes::Outcomes;
use crate::store::questions::AskError;
use crate::store::sends::{Backlog, Pace, Sends, SendsError, Told};

/// A look is a query or two, which take a second and cost something.
const PACE: Pace = Pace { shortest: Duration::from_secs(5), longest: Duration::from_secs(30) };

/// Each question takes its second, whatever it is about.
const AT_ONCE: usize = 8;

/// The sends of a dataset. Cheap to clone.
#[derive(Clone)]
pub struct BigQuerySends {
    asker: Arc<Asker>,
}

impl BigQuerySends {
    /// Finds the credentials; asks nobody yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub fn open(config: &BigQuery) -> Result<Self, BigQueryError> {
        Ok(Self { asker: Arc::new(Asker::open(config)?) })
    }
}

impl From<BigQueryError> for SendsError {
    fn from(error: BigQueryError) -> Self {
        Self::Ask(AskError::BigQuery(error))
    }
}

impl Sends for BigQuerySends {
    fn share(&self) -> Arc<dyn Sends> {
        Arc::new(self.clone())
    }

    fn take(&self, run: &RunName, keys: &Identity, take_over: bool, now: i64) -> Result<Box<dyn Claims>, LedgerError> {
        Ok(Box::new(HeldRun::take(&self.asker, run, keys, take_over, now)?))
    }

    fn note_sandbox(&self, run: &RunName, now: i64) -> Result<(), LedgerError> {
        Ok(self.asker.blocking.wait(note_sandbox(&self.asker.dataset, run, now))?)
    }

    fn note_hash_key(&self, key_id: &str) -> Result<(), SendsError> {
        Ok(self.asker.blocking.wait(self.asker.dataset.note_hash_key(key_id))?)
    }

    fn ledger(&self) -> Result<Option<Box<dyn Ledger>>, SendsError> {
        Ok(Some(Box::new(RunReader::new(&self.asker))))
    }

    fn events(&self) -> Result<Option<Box<dyn Outcomes>>, SendsError> {
        Ok(Some(Box::new(Arc::clone(&self.asker))))
    }

    fn sender(&self, run: &RunName) -> Result<Option<String>, SendsError> {
        Ok(self.asker.blocking.wait(holder(&self.asker.dataset, run))?)
    }

    /// Nothing is on its way: a post is answered 200 once BigQuery has its events.
    fn backlog(&self) -> Result<Backlog, SendsError> {
        Ok(Backlog::default())
    }

    fn is_past(&self, _: &mut Backlog) -> Result<bool, SendsError> {
        Ok(true)
    }

    fn behind(&self) -> Result<i64, SendsError> {
        Ok(0)
    }

    fn catch_up(&self, _: Arc<dyn Keys>, _: bool) -> Result<(), SendsError> {
        Ok(())
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn told(&self) -> Box<dyn Told> {
        Box::new(ToldThere(Arc::clone(&self.asker)))
    }
}

/// Whom people were told of, in `mailtrail_told`: whoever waits next may do so on another machine.
struct ToldThere(Arc<Asker>);

impl Told for ToldThere {
    fn was_told(&mut self, run: &str, outcome: &str, at: i64) -> Result<bool, SendsError> {
        let sql = format!(
            "SELECT COUNT(*) FROM {} WHERE run = @run AND outcome = @outcome AND `at` >= @at",
            self.0.dataset.names.sql_table(&TOLD)
        );
        let found = self.0.ask_at_once(&ending(sql, run, outcome, at).fresh())?;
        Ok(found.rows.first().map_or(Ok(0), |row| Cells::new(row).count())? > 0)
    }

    fn note(&mut self, run: &str, outcome: &str, at: i64) -> Result<(), SendsError> {
        let sql = format!(
            "INSERT INTO {} (run, outcome, `at`) VALUES (@run, @outcome, @at)",
            self.0.dataset.names.sql_table(&TOLD)
        );
        let query = ending(sql, run, outcome, at);
        Ok(self.0.blocking.wait(self.0.dataset.change(&query)).map(drop)?)
    }
}

fn ending(sql: String, run: &str, outcome: &str, at: i64) -> Query {
    Query::new(sql)
        .with("run", Parameter::Text(run.to_owned()))
        .with("outcome", Parameter::Text(outcome.to_owned()))
        .with("at", Parameter::Timestamp(at))
}
