//! The follower of a dataset, for stateless receivers: one process at a time, whichever holds the lock.

use std::time::{Duration, Instant};

use super::follower::{Follower, Once};
use super::source::{OfDataset, SourceError};
use crate::clock;
use crate::config::Config;
use crate::notify::Notifier;
use crate::stop::Stop;
use crate::store::bigquery::{
    BigQueryError, Dataset, Entry, FOLLOW_LOCK, FollowStateError, Following, LockRowError, Owner,
};

/// How long one round waits for who is told.
const ROUND: Duration = Duration::from_secs(60);
/// Between tries to begin, the first and the longest; doubled in between.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

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

impl SingletonError {
    /// Whether BigQuery may answer when asked again later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Lock(_) => false,
            Self::BigQuery(error)
            | Self::Source(SourceError::BigQuery(error) | SourceError::State(FollowStateError::BigQuery(error))) => {
                error.may_pass()
            }
            Self::Source(_) => false,
        }
    }
}

/// The one that follows.
pub struct Singleton {
    follower: Follower<OfDataset>,
}

/// How a follower starts.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// How far looks are apart.
    pub every: Duration,
    /// Take the lock also from another one that holds it.
    pub take_over: bool,
    /// How long it is tried again while BigQuery cannot answer for now; `None`: until the stop.
    pub patience: Option<Duration>,
}

impl Singleton {
    /// Takes the lock and goes on where the follower before ended. `entries` say which keys the dataset must have been begun with.
    /// Repeated with backoff while BigQuery cannot answer for now.
    ///
    /// # Errors
    /// When another one holds the lock, or BigQuery cannot be asked.
    pub async fn begin(
        config: &Config,
        dataset: &Dataset,
        entries: &[Entry],
        notifier: &Notifier,
        start: Start,
        mut stop: Stop,
    ) -> Result<Self, SingletonError> {
        // The same for all tries: a lock that an earlier one took and could not release is this process's own.
        let owner = Owner::this_process()?;
        let begun = Instant::now();
        let mut pause = RETRY.0;
        loop {
            let attempt = Self::attempt(config, dataset, entries, notifier.clone(), start, &owner).await;
            let error = match attempt {
                Err(error) if error.may_pass() => error,
                result => return result,
            };
            if start.patience.is_some_and(|patience| begun.elapsed() >= patience) {
                return Err(error);
            }
            tracing::warn!("following cannot begin yet, and is tried again: {error}");
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY.1),
                () = stop.requested() => return Err(error),
            }
        }
    }

    async fn attempt(
        config: &Config,
        dataset: &Dataset,
        entries: &[Entry],
        notifier: Notifier,
        start: Start,
        owner: &Owner,
    ) -> Result<Self, SingletonError> {
        dataset.verify(entries).await?;
        let held = if start.take_over {
            dataset.lock_by_force(FOLLOW_LOCK, owner).await
        } else {
            dataset.lock(FOLLOW_LOCK, owner).await
        };
        let held = held.map_err(|error| match error {
            LockRowError::BigQuery(error) => SingletonError::BigQuery(error),
            other => SingletonError::Lock(other),
        })?;
        let begun = begin(config, dataset, held.clone(), notifier, start.every).await;
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
