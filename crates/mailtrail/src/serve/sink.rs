//! Where a batch is kept for good: the spool on this machine, or BigQuery.

use crate::clock;
use crate::protect::{ProtectedBatch, SealedPost};
use crate::receive::Refusal;
use crate::spool::{CommitError, Record, Underway};
use crate::store::Keeper;
use crate::store::bigquery::{Intake, IntakeError, Prepared};

/// What keeps batches. Cheap to clone.
#[derive(Clone)]
pub enum Sink {
    /// The spool, and the trail behind it.
    Spool(Keeper),
    /// BigQuery itself.
    BigQuery(Intake),
}

/// A batch as its sink takes it, made before the wait. Boxed: rows are large, and wait in many requests at once.
pub(super) enum Ready {
    Spool(Keeper, Record, Option<SealedPost>),
    BigQuery(Intake, Box<Prepared>),
}

impl Sink {
    /// A batch is being made for it, until what this returns is dropped.
    pub(super) fn underway(&self) -> Option<Underway> {
        self.keeper().map(Keeper::underway)
    }

    /// Works a while for large batches. `post`: as it came, where it is passed on, which the spool alone can keep.
    pub(super) fn prepare(&self, batch: ProtectedBatch, post: Option<SealedPost>) -> Ready {
        match self {
            Self::Spool(keeper) => Ready::Spool(keeper.clone(), Record::of(batch), post),
            Self::BigQuery(intake) => {
                Ready::BigQuery(intake.clone(), Box::new(Intake::prepare(&batch, clock::now_micros())))
            }
        }
    }

    /// The store on this machine; `None` where that is BigQuery.
    pub(super) fn keeper(&self) -> Option<&Keeper> {
        match self {
            Self::Spool(keeper) => Some(keeper),
            Self::BigQuery(_) => None,
        }
    }

    /// Whether it takes batches at present.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Spool(keeper) => keeper.state().not_writable.is_none(),
            Self::BigQuery(intake) => intake.is_well(),
        }
    }
}

impl Ready {
    /// Ends when the batch outlives this process. The receipts are what permits the 200.
    pub(super) async fn keep(self) -> Result<(), Refusal> {
        match self {
            Self::Spool(keeper, record, post) => {
                let committed = match post {
                    Some(post) => keeper.commit_with_post(record, post).await,
                    None => keeper.commit(record).await,
                };
                committed.map(drop).map_err(|error| match error {
                    CommitError::Full => Refusal::StoreFull,
                    CommitError::Failing(_) | CommitError::Closed => Refusal::StoreFailing,
                })
            }
            Self::BigQuery(intake, prepared) => intake.commit(*prepared).await.map(drop).map_err(|error| match error {
                IntakeError::Full => Refusal::StoreFull,
                IntakeError::Slow(_) => Refusal::StoreSlow,
            }),
        }
    }
}
