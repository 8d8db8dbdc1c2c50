//! The follower of a dataset, for stateless receivers: one process at a time, whichever holds the lock.

use std::time::Duration;

use super::follower::{Follower, Once};
use super::source::{OfDataset, SourceError};
use crate::clock;
use crate::config::Config;
use crate::notify::Notifier;
use crate::stop::Stop;
use crate::store::bigquery::{BigQueryError, Dataset, Entry, FOLLOW_LOCK, Following, LockRowError, Owner};

/// How long one round waits for who is told.
const ROUND: Duration = Duration::from_secs(60);

/// Why this process does not follow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SingletonError {
    /// Another one does.
    #[error("{0}")]
    Lock(#[source] LockRowError),
    /// BigQuery.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// Events or places.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The one that follows.
pub struct Singleton {
    follower: Follower<OfDataset>,
}

impl Singleton {
    /// Takes the lock, by force where that is asked for, and goes on where the one before ended. `entries` say which keys the dataset
    /// must have been begun with; a look is taken every `every`.
    ///
    /// # Errors
    /// When another one holds the lock, or BigQuery cannot be asked.
    pub async fn begin(
        config: &Config,
        dataset: &Dataset,
        entries: &[Entry],
        notifier: Notifier,
        every: Duration,
        take_over: bool,
    ) -> Result<Self, SingletonError> {
        dataset.verify(entries).await?;
        let owner = Owner::this_process()?;
        let held = if take_over {
            dataset.lock_by_force(FOLLOW_LOCK, &owner).await
        } else {
            dataset.lock(FOLLOW_LOCK, &owner).await
        };
        let held = held.map_err(|error| match error {
            LockRowError::BigQuery(error) => SingletonError::BigQuery(error),
            other => SingletonError::Lock(other),
        })?;
        let begun = begin(config, dataset, held.clone(), notifier, every).await;
        if begun.is_err() {
            // That it cannot begin is what is told; a lock that cannot be let go either is said by the next one.
            let _let_go = held.release().await;
        }
        Ok(Self { follower: begun? })
    }

    /// What one look reads, in bytes.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub async fn cost(&self) -> Result<u64, SourceError> {
        self.follower.source().cost(self.follower.names()).await
    }

    /// Follows until `stop`, and lets go of the lock.
    ///
    /// # Errors
    /// When another one has taken over.
    pub async fn run(mut self, stop: Stop) -> Result<(), SourceError> {
        self.follower.run(stop).await?;
        self.follower.into_source().release().await
    }

    /// Tells of everything that came in since the last time, and lets go of the lock.
    ///
    /// # Errors
    /// When something cannot be read or saved. What was not told is told the next time.
    pub async fn once(mut self) -> Result<Once, SourceError> {
        let once = self.follower.once(ROUND).await;
        let released = self.follower.into_source().release().await;
        let once = once?;
        released?;
        Ok(once)
    }
}

async fn begin(
    config: &Config,
    dataset: &Dataset,
    held: crate::store::bigquery::Held,
    notifier: Notifier,
    every: Duration,
) -> Result<Follower<OfDataset>, SingletonError> {
    let following = Following::begin(dataset, held, clock::now_micros()).await?;
    Ok(Follower::new(&config.alerts, OfDataset::new(following, every), notifier).await?)
}
