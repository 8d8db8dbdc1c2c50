//! What sending once and following once rest on: of several who try for a lock, one gets it.

use super::random;
use crate::store::bigquery::Dataset;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::lock::{LockRowError, Owner};
use crate::store::bigquery::schema::LOCKS;

/// So often both may stand back.
const TRIES: usize = 3;

impl Dataset {
    /// Two who try for a lock in the same moment, of a name that was never used: one has it, until it is taken from it.
    pub(super) async fn prove_lock(&self) -> Result<(), BigQueryError> {
        let name = format!("check:{}", random()?);
        let proven = self.race_for(&name).await;
        self.forget_lock(&name).await?;
        proven
    }

    async fn race_for(&self, name: &str) -> Result<(), BigQueryError> {
        let failed = |what: &str| {
            let table = self.names.shown(&self.names.table(&LOCKS));
            Err(BigQueryError::Unfit(format!(
                "locks in {table} do not hold: {what}. Neither send nor follow from here"
            )))
        };
        let owners = [Owner::this_process()?, Owner::this_process()?];
        let mut first = None;
        for _ in 0..TRIES {
            let (one, other) = tokio::join!(self.lock(name, &owners[0]), self.lock(name, &owners[1]));
            first = match (one, other) {
                (Ok(_), Ok(_)) => return failed("two owners have one"),
                (Ok(held), Err(LockRowError::Held { .. })) => Some((held, &owners[1])),
                (Err(LockRowError::Held { .. }), Ok(held)) => Some((held, &owners[0])),
                // Each saw the other, and both stood back.
                (Err(LockRowError::Held { .. }), Err(LockRowError::Held { .. })) => continue,
                (Err(LockRowError::BigQuery(error)), _) | (_, Err(LockRowError::BigQuery(error))) => return Err(error),
                _ => return failed("one was lost that nobody took over"),
            };
            break;
        }
        let Some((held, other)) = first else { return failed("nobody gets one that two want") };
        if held.confirm().await.is_err() {
            return failed("who has one does not find its name on it");
        }
        let Ok(second) = self.lock_by_force(name, other).await else { return failed("one cannot be taken over") };
        match (held.confirm().await, second.confirm().await) {
            (Err(LockRowError::Lost { .. }), Ok(())) => Ok(()),
            _ => failed("who lost one is not told so"),
        }
    }
}
