//! What sending once and following once rest on: of several who try for a lock, one gets it.

use serde_json::Value as Json;

use super::random;
use crate::run::RunName;
use crate::store::bigquery::Dataset;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::ledger::run_lock;
use crate::store::bigquery::lock::{LockRowError, Owner};
use crate::store::bigquery::schema::{LOCKS, RUNS};

/// The lock that is taken to see that locks hold.
const LOCK: &str = "check";

impl Dataset {
    /// Of two owners one gets it: what locks rest on.
    pub(super) async fn prove_lock(&self) -> Result<(), BigQueryError> {
        let held = match self.lock(LOCK, &Owner::this_process()?).await {
            Ok(held) => held,
            Err(LockRowError::BigQuery(error)) => return Err(error),
            Err(other) => {
                let table = self.names.shown(&self.names.table(&LOCKS));
                return Err(BigQueryError::Unfit(format!(
                    "{other}: another check runs, or one was killed. Wait, or set its owner in {table} to NULL"
                )));
            }
        };
        let second = self.lock(LOCK, &Owner::this_process()?).await;
        let still = held.confirm().await;
        held.release().await?;
        match (second, still) {
            (Err(LockRowError::Held { .. }), Ok(())) => Ok(()),
            (_, Err(LockRowError::BigQuery(error))) | (Err(LockRowError::BigQuery(error)), _) => Err(error),
            (_, _) => Err(BigQueryError::Unfit("locks do not hold: two owners took one".to_owned())),
        }
    }

    /// Two senders begin one run in the same moment, and one has it; it loses it to who takes it over.
    pub(super) async fn prove_run(&self, now: i64) -> Result<(), BigQueryError> {
        let owners = [random()?, random()?];
        let probe = format!("mailtrail check {}", random()?);
        let run = RunName::new(&probe).map_err(|error| BigQueryError::Unfit(error.to_string()))?;
        let proven = self.race_for(&run, &owners, now).await;
        self.change(&run_lock::unmake(&self.names, &run)).await?;
        proven
    }

    async fn race_for(&self, run: &RunName, [one, other]: &[String; 2], now: i64) -> Result<(), BigQueryError> {
        let failed = |what: &str| {
            let table = self.names.shown(RUNS.default_name);
            Err(BigQueryError::Unfit(format!(
                "the locks of runs in {table} do not hold: {what}. Do not send from here"
            )))
        };
        let make = run_lock::make(&self.names, run, now);
        self.change(&make).await?;
        self.change(&make).await?;
        let take = |owner: &str, over: bool| run_lock::take(&self.names, run, owner, over, now);
        let (first, second) = (take(one, false), take(other, false));
        let (first, second) = tokio::join!(self.change(&first), self.change(&second));
        let (first, second) = (first?, second?);
        match (first.changed, second.changed) {
            (1, 0) | (0, 1) => {}
            (a, b) => return failed(&format!("of two senders at once one changed {a} rows and the other {b}")),
        }
        let winner = if first.changed == 1 { one } else { other };
        let loser = if first.changed == 1 { other } else { one };
        for (owner, over) in [(winner, false), (loser, true)] {
            if over {
                self.change(&take(owner, over)).await?;
            }
            let names = self.jobs.ask(&run_lock::names_on(&self.names, run)).await?;
            let found = names.rows.iter().filter_map(|row| row.first().and_then(Json::as_str));
            if !found.eq([owner.as_str()]) {
                return failed("who took the run is not who has it");
            }
        }
        Ok(())
    }
}
