//! Who sends a run: its row in `mailtrail_run`.
//!
//! BigQuery has no unique keys, so two who begin the same run in the same moment may each add a row for it. That costs nothing:
//! whoever has put its name anywhere reads all rows of the run, and has the run only where no other name stands. Of two, each
//! having written before it reads, at least one sees the other.

use std::sync::Arc;

use crate::run::{RequestId, RunName};
use crate::store::bigquery::Dataset;
use crate::store::bigquery::ask::Asker;
use crate::store::bigquery::ask::cell::Cells;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::schema::RUNS;
use crate::store::ledger::LedgerError;

/// So often a run is tried that somebody let go of in the same moment.
const TRIES: usize = 3;

/// A run, held. Nothing but its holder, or somebody who takes it over, lets go of it.
pub(super) struct RunLock {
    asker: Arc<Asker>,
    run: RunName,
    owner: String,
    begun_at: i64,
    held: bool,
}

/// A name on a run's row.
struct Name {
    owner: String,
    /// For people.
    holder: String,
    since: i64,
}

impl RunLock {
    pub(super) fn take(asker: &Arc<Asker>, run: &RunName, take_over: bool, now: i64) -> Result<Self, LedgerError> {
        let owner = RequestId::random()?.to_string();
        let dataset = &asker.dataset;
        let begun_at = asker.blocking.wait(dataset.take_run(run, &owner, take_over, now))?;
        Ok(Self { asker: Arc::clone(asker), run: run.clone(), owner, begun_at, held: true })
    }

    /// When the run was first taken, µs.
    pub(super) fn begun_at(&self) -> i64 {
        self.begun_at
    }

    /// Whether the run is still ours.
    pub(super) async fn prove(&self) -> Result<(), LedgerError> {
        let names = self.asker.dataset.names_on(&self.run).await?;
        if names.iter().any(|name| name.owner == self.owner) {
            return Ok(());
        }
        let holder =
            names.into_iter().next().map_or_else(|| "somebody who has ended since".to_owned(), |name| name.holder);
        Err(LedgerError::Lost { run: self.run.clone(), holder })
    }

    /// Lets go of the run.
    pub(super) fn release(&mut self) -> Result<(), BigQueryError> {
        if !std::mem::take(&mut self.held) {
            return Ok(());
        }
        self.asker.blocking.wait(self.asker.dataset.release_run(&self.run, &self.owner))
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!("run {} is still held by this sender, who has ended: {error}", self.run);
        }
    }
}

/// Who holds a run.
pub(in crate::store::bigquery) async fn holder(
    dataset: &Dataset,
    run: &RunName,
) -> Result<Option<String>, BigQueryError> {
    let names = dataset.names_on(run).await?;
    Ok(names.into_iter().next().map(|name| format!("{} (since {})", name.holder, rfc3339(name.since))))
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
         WHEN NOT MATCHED THEN INSERT (name, sandbox_at, fence) VALUES (s.name, @now, 0)",
        dataset.names.sql_table(&RUNS)
    );
    dataset.change(&of_run(sql, run).with("now", Parameter::Timestamp(now))).await.map(drop)
}

impl Dataset {
    /// Puts a name on a run's row and sees that no other one stands there; when the run was first taken, µs.
    async fn take_run(&self, run: &RunName, owner: &str, take_over: bool, now: i64) -> Result<i64, LedgerError> {
        self.change(&make(&self.names, run, now)).await?;
        let take = take(&self.names, run, owner, take_over, now);
        let mut other = None;
        for _ in 0..TRIES {
            let changed = self.change(&take).await?.changed;
            let names = self.names_on(run).await?;
            other = names.into_iter().find(|name| name.owner != owner);
            match (changed, &other) {
                (1.., None) => return Ok(self.begun(run).await?.unwrap_or(now)),
                (1.., Some(_)) => self.release_run(run, owner).await?,
                (0, _) => {}
            }
            if other.is_some() {
                break;
            }
        }
        let (holder, since) =
            other.map_or_else(|| ("other senders, who come and go".to_owned(), now), |name| (name.holder, name.since));
        Err(LedgerError::Held { run: run.clone(), holder, since: rfc3339(since) })
    }

    async fn release_run(&self, run: &RunName, owner: &str) -> Result<(), BigQueryError> {
        let sql = format!(
            "UPDATE {} SET owner = NULL, holder = NULL, held_since = NULL WHERE name = @run AND owner = @owner",
            self.names.sql_table(&RUNS)
        );
        self.change(&of_run(sql, run).with("owner", Parameter::Text(owner.to_owned()))).await.map(drop)
    }

    /// The names on a run's rows.
    async fn names_on(&self, run: &RunName) -> Result<Vec<Name>, BigQueryError> {
        let found = self.jobs.ask(&names_on(&self.names, run)).await?;
        let name = |row: &Vec<_>| {
            let mut cells = Cells::new(row);
            Ok(Name { owner: cells.needed()?, holder: cells.needed()?, since: cells.time()? })
        };
        found.rows.iter().map(name).collect()
    }

    async fn begun(&self, run: &RunName) -> Result<Option<i64>, BigQueryError> {
        let sql = format!("SELECT MIN(begun_at) FROM {} WHERE name = @run", self.names.sql_table(&RUNS));
        let found = self.jobs.ask(&of_run(sql, run).fresh()).await?;
        found.rows.first().map_or(Ok(None), |row| Cells::new(row).integer())
    }
}

/// A row for the run, where there is none.
pub(in crate::store::bigquery) fn make(names: &Names, run: &RunName, now: i64) -> Query {
    let sql = format!(
        "MERGE {} AS t USING (SELECT @run AS name) AS s ON t.name = s.name
         WHEN NOT MATCHED THEN INSERT (name, begun_at, fence) VALUES (s.name, @now, 0)",
        names.sql_table(&RUNS)
    );
    of_run(sql, run).with("now", Parameter::Timestamp(now))
}

/// An owner's name on a free row; with `take_over` on any.
pub(in crate::store::bigquery) fn take(names: &Names, run: &RunName, owner: &str, take_over: bool, now: i64) -> Query {
    let free = if take_over { "" } else { " AND owner IS NULL" };
    let sql = format!(
        "UPDATE {} SET owner = @owner, holder = @holder, held_since = @now, fence = IFNULL(fence, 0) + 1,
         begun_at = IFNULL(begun_at, @now) WHERE name = @run{free}",
        names.sql_table(&RUNS)
    );
    of_run(sql, run)
        .with("owner", Parameter::Text(owner.to_owned()))
        .with("holder", Parameter::Text(this_process()))
        .with("now", Parameter::Timestamp(now))
}

/// Who has put a name on a run's rows: owner, holder, since when.
pub(in crate::store::bigquery) fn names_on(names: &Names, run: &RunName) -> Query {
    let sql = format!(
        "SELECT owner, IFNULL(holder, 'another sender'), IFNULL(held_since, TIMESTAMP_MICROS(0)) FROM {}
         WHERE name = @run AND owner IS NOT NULL",
        names.sql_table(&RUNS)
    );
    of_run(sql, run).fresh()
}

/// The run's rows go.
pub(in crate::store::bigquery) fn unmake(names: &Names, run: &RunName) -> Query {
    of_run(format!("DELETE FROM {} WHERE name = @run", names.sql_table(&RUNS)), run)
}

fn of_run(sql: String, run: &RunName) -> Query {
    Query::new(sql).with("run", Parameter::Text(run.as_str().to_owned()))
}

/// For people who look for the sender.
fn this_process() -> String {
    let system = rustix::system::uname();
    format!("process {} on {}", std::process::id(), system.nodename().to_string_lossy())
}

fn rfc3339(micros: i64) -> String {
    let second = jiff::Timestamp::from_second(micros.div_euclid(1_000_000));
    second.map_or_else(|_| "a time unknown".to_owned(), |time| time.to_string())
}
