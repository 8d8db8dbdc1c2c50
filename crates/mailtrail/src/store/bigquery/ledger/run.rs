//! A run: its row in `mailtrail_run`, and the lock of whoever sends it.

use std::sync::Arc;

use crate::run::RunName;
use crate::store::bigquery::Dataset;
use crate::store::bigquery::ask::Asker;
use crate::store::bigquery::ask::cell::Cells;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::lock::{Held, LockRowError, Owner};
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::schema::RUNS;
use crate::store::ledger::LedgerError;

/// A run, held. Nothing but its holder, or somebody who takes it over, lets go of it.
pub(super) struct RunLock {
    asker: Arc<Asker>,
    run: RunName,
    begun_at: i64,
    /// Until it is let go.
    held: Option<Held>,
}

impl RunLock {
    pub(super) fn take(asker: &Arc<Asker>, run: &RunName, take_over: bool, now: i64) -> Result<Self, LedgerError> {
        let owner = Owner::this_process()?;
        let (name, dataset) = (lock_name(run), &asker.dataset);
        let held = asker.blocking.wait(async {
            if take_over { dataset.lock_by_force(&name, &owner).await } else { dataset.lock(&name, &owner).await }
        });
        let held = held.map_err(|error| of_lock(run, error))?;
        // From here on, dropping it lets go.
        let mut lock = Self { asker: Arc::clone(asker), run: run.clone(), begun_at: now, held: Some(held) };
        lock.begun_at = asker.blocking.wait(dataset.begin_run(run, now))?;
        Ok(lock)
    }

    /// When the run was first taken, µs.
    pub(super) fn begun_at(&self) -> i64 {
        self.begun_at
    }

    /// Whether the run is still ours.
    pub(super) fn prove(&self) -> Result<(), LedgerError> {
        let Some(held) = &self.held else { return Ok(()) };
        self.asker.blocking.wait(held.confirm()).map_err(|error| of_lock(&self.run, error))
    }

    /// Lets go of the run.
    pub(super) fn release(&mut self) -> Result<(), BigQueryError> {
        match self.held.take() {
            Some(held) => self.asker.blocking.wait(held.release()),
            None => Ok(()),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!("run {} is still held by this sender, who has ended: {error}", self.run);
        }
    }
}

fn of_lock(run: &RunName, error: LockRowError) -> LedgerError {
    let run = run.clone();
    match error {
        LockRowError::Held { owner, since, .. } => {
            let since = since.map_or_else(|| "a time unknown".to_owned(), |since| since.to_string());
            LedgerError::Held { run, holder: owner, since }
        }
        LockRowError::Lost { owner, .. } => {
            LedgerError::Lost { run, holder: owner.unwrap_or_else(|| "somebody who has ended since".to_owned()) }
        }
        LockRowError::BigQuery(error) => error.into(),
    }
}

/// The name of the lock that a run's sender holds.
fn lock_name(run: &RunName) -> String {
    format!("run:{run}")
}

/// Who holds a run.
pub(in crate::store::bigquery) async fn holder(
    dataset: &Dataset,
    run: &RunName,
) -> Result<Option<String>, BigQueryError> {
    dataset.lock_holder(&lock_name(run)).await
}

/// Notes that a run's requests were only validated.
pub(in crate::store::bigquery) async fn note_sandbox(
    dataset: &Dataset,
    run: &RunName,
    now: i64,
) -> Result<(), BigQueryError> {
    let sql = format!(
        "MERGE {} AS t USING (SELECT @run AS name) AS s ON t.name = s.name
         WHEN MATCHED THEN UPDATE SET sandbox_at = @now
         WHEN NOT MATCHED THEN INSERT (name, sandbox_at) VALUES (s.name, @now)",
        dataset.names.sql_table(&RUNS)
    );
    dataset.change(&of_run(sql, run).with("now", Parameter::Timestamp(now))).await.map(drop)
}

impl Dataset {
    /// Notes when a run was first sent, where that is not known; µs.
    async fn begin_run(&self, run: &RunName, now: i64) -> Result<i64, BigQueryError> {
        let table = self.names.sql_table(&RUNS);
        let begun = of_run(format!("SELECT MIN(begun_at) FROM {table} WHERE name = @run"), run).fresh();
        let found = self.jobs.ask(&begun).await?;
        if let Some(begun_at) = found.rows.first().map_or(Ok(None), |row| Cells::new(row).integer())? {
            return Ok(begun_at);
        }
        let sql = format!(
            "MERGE {table} AS t USING (SELECT @run AS name) AS s ON t.name = s.name
             WHEN MATCHED THEN UPDATE SET begun_at = IFNULL(t.begun_at, @now)
             WHEN NOT MATCHED THEN INSERT (name, begun_at) VALUES (s.name, @now)"
        );
        self.change(&of_run(sql, run).with("now", Parameter::Timestamp(now))).await?;
        Ok(now)
    }
}

fn of_run(sql: String, run: &RunName) -> Query {
    Query::new(sql).with("run", Parameter::Text(run.as_str().to_owned()))
}
