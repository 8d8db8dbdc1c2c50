//! What sending once and following once rest on: of several who try for a lock, one gets it.

use serde_json::Value as Json;

use super::{Cost, random};
use crate::run::RunName;
use crate::store::bigquery::Dataset;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::ledger::run_lock;
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::schema::{META, RUNS};

impl Dataset {
    /// Of two owners one gets it: what locks rest on.
    pub(super) async fn prove_lock(&self, cost: &mut Cost) -> Result<(), BigQueryError> {
        let table = self.names.sql_table(&META);
        let take = Query::new(format!(
            "UPDATE {table} SET owner = @owner, fence = fence + 1 WHERE name = 'lock:check' AND owner IS NULL"
        ));
        let owner = random()?;
        let mut changed = Vec::new();
        for owner in [owner.clone(), random()?] {
            let rows = self.jobs.ask(&take.clone().with("owner", Parameter::Text(owner))).await?;
            cost.add(&rows);
            changed.push(rows.changed);
        }
        let free = Query::new(format!("UPDATE {table} SET owner = NULL WHERE name = 'lock:check' AND owner = @owner"));
        cost.add(&self.jobs.ask(&free.with("owner", Parameter::Text(owner))).await?);
        match changed.as_slice() {
            [1, 0] => Ok(()),
            [0, 0] => Err(BigQueryError::Unfit(format!(
                "the lock for checks in {table} is held: another check runs, or one was killed. Wait, or set its owner to NULL"
            ))),
            other => Err(BigQueryError::Unfit(format!("locks do not hold: two owners took {other:?} rows"))),
        }
    }

    /// Two senders begin one run in the same moment, and one has it; it loses it to who takes it over.
    pub(super) async fn prove_run(&self, now: i64, cost: &mut Cost) -> Result<(), BigQueryError> {
        let owners = [random()?, random()?];
        let probe = format!("mailtrail check {}", random()?);
        let run = RunName::new(&probe).map_err(|error| BigQueryError::Unfit(error.to_string()))?;
        let proven = self.race_for(&run, &owners, now, cost).await;
        cost.add(&self.change(&run_lock::unmake(&self.names, &run)).await?);
        proven
    }

    async fn race_for(
        &self,
        run: &RunName,
        [one, other]: &[String; 2],
        now: i64,
        cost: &mut Cost,
    ) -> Result<(), BigQueryError> {
        let failed = |what: &str| {
            let table = self.names.shown(RUNS.default_name);
            Err(BigQueryError::Unfit(format!(
                "the locks of runs in {table} do not hold: {what}. Do not send from here"
            )))
        };
        let make = run_lock::make(&self.names, run, now);
        cost.add(&self.change(&make).await?);
        cost.add(&self.change(&make).await?);
        let take = |owner: &str, over: bool| run_lock::take(&self.names, run, owner, over, now);
        let (first, second) = (take(one, false), take(other, false));
        let (first, second) = tokio::join!(self.change(&first), self.change(&second));
        let (first, second) = (first?, second?);
        cost.add(&first);
        cost.add(&second);
        match (first.changed, second.changed) {
            (1, 0) | (0, 1) => {}
            (a, b) => return failed(&format!("of two senders at once one changed {a} rows and the other {b}")),
        }
        let winner = if first.changed == 1 { one } else { other };
        let loser = if first.changed == 1 { other } else { one };
        for (owner, over) in [(winner, false), (loser, true)] {
            if over {
                cost.add(&self.change(&take(owner, over)).await?);
            }
            let names = self.jobs.ask(&run_lock::names_on(&self.names, run)).await?;
            cost.add(&names);
            let found = names.rows.iter().filter_map(|row| row.first().and_then(Json::as_str));
            if !found.eq([owner.as_str()]) {
                return failed("who took the run is not who has it");
            }
        }
        Ok(())
    }
}
