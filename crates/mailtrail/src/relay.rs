//! SendGrid's POSTs, passed on to other consumers as they came: the same bytes and signature headers, so that each can check
//! the signature itself.
//!
//! What is passed on was committed, sealed, together with its batch before the 200, and moved by the drain to a file of its own
//! (`store::relay`). From there each consumer gets it in order, at least once, at its own pace: nothing here is on the way
//! of an answer to SendGrid.

mod consumer;
mod health;
mod post;
mod upkeep;

pub use health::{Health, Standing, describe};

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::config;
use crate::notify::SendError;
use crate::protect::KeyRing;
use crate::receive::VerifiedBy;
use crate::stop::Stop;
use crate::store::relay::{Bound, RelayError, RelayFile};
use crate::store::{Keeper, Paths};
use consumer::Consumer;
use post::Poster;
use upkeep::Upkeep;

/// Why nothing can be passed on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] RelayError),
    /// The HTTP client does not start.
    #[error(transparent)]
    Client(#[from] SendError),
}

/// Whether a POST is passed on: only what a real sender proved. Bodies of test keys are our own, and no consumer could verify
/// them.
#[must_use]
pub fn is_passed_on(verified_by: &VerifiedBy) -> bool {
    matches!(verified_by, VerifiedBy::Key(_) | VerifiedBy::Basic)
}

/// The file, shared by all who deliver. Its work is short, and done beside the runtime's threads.
#[derive(Clone)]
struct SharedFile(Arc<Mutex<Queue>>);

/// The file as deliveries have it. After a failed sync it is closed, and opened again before it is used.
struct Queue {
    paths: Paths,
    consumers: Vec<String>,
    file: Option<RelayFile>,
}

impl Queue {
    fn open(&self) -> Result<RelayFile, RelayError> {
        let mut file = RelayFile::open_for_delivery(&self.paths)?;
        let names: Vec<&str> = self.consumers.iter().map(String::as_str).collect();
        file.set_consumers(&names)?;
        Ok(file)
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut RelayFile) -> Result<T, RelayError>) -> Result<T, RelayError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let worked = work(&mut file);
        if worked.as_ref().is_err_and(RelayError::is_io) {
            file.abandon();
            // At once, because opening makes the log durable on which the drain's commits rely. Else the next use tries again.
            self.file = self.open().ok();
        } else {
            self.file = Some(file);
        }
        worked
    }
}

impl SharedFile {
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut RelayFile) -> Result<T, RelayError> + Send + 'static,
    ) -> Result<T, String> {
        let file = Arc::clone(&self.0);
        // After a panic the file is as good as after a kill: every change is a transaction.
        let worked =
            tokio::task::spawn_blocking(move || file.lock().unwrap_or_else(PoisonError::into_inner).with(work));
        match worked.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("looking into the relay file ended in a panic".to_owned()),
        }
    }
}

/// All consumers, ready to be served.
pub struct Relay {
    consumers: Vec<Consumer>,
    upkeep: Upkeep,
    health: Health,
}

impl Relay {
    /// Opens the file and begins to keep for these consumers, and for no others.
    ///
    /// # Errors
    /// When the file or the HTTP client cannot be used.
    pub fn open(
        relays: &[config::Relay],
        max_bytes: u64,
        paths: &Paths,
        keys: &Arc<KeyRing>,
    ) -> Result<Self, StartError> {
        let names = relays.iter().map(|relay| relay.name.clone()).collect();
        let mut queue = Queue { paths: paths.clone(), consumers: names, file: None };
        match queue.open() {
            Ok(file) => queue.file = Some(file),
            // Receiving comes first, and what waits is still there.
            Err(error) if error.is_io() => tracing::error!("{error}; deliveries begin when the file can be opened"),
            Err(error) => return Err(error.into()),
        }
        let file = SharedFile(Arc::new(Mutex::new(queue)));
        let consumers = relays
            .iter()
            .map(|relay| {
                health::begin(&relay.name);
                Ok(Consumer::new(relay, Poster::new(relay)?, file.clone(), Arc::clone(keys)))
            })
            .collect::<Result<_, SendError>>()?;
        let bounds =
            relays.iter().map(|relay| Bound { consumer: relay.name.clone(), max_age: relay.max_age }).collect();
        let health = Health::default();
        Ok(Self { consumers, upkeep: Upkeep { file, bounds, max_bytes, health: health.clone() }, health })
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Delivers until `stop`.
    #[must_use]
    pub fn start(self, keeper: &Keeper, stop: &Stop) -> Vec<JoinHandle<()>> {
        let mut tasks: Vec<_> = self
            .consumers
            .into_iter()
            .map(|consumer| tokio::spawn(consumer.run(keeper.watch_drain(), stop.clone())))
            .collect();
        tasks.push(tokio::spawn(self.upkeep.run(keeper.watch_drain(), stop.clone())));
        tasks
    }
}
