//! Tells of events as they come in, by the rules of the configuration.
//!
//! One thread of low priority reads the trail in pages (or one process of its own BigQuery, [`Singleton`]), counts what a rule asks for, and posts a message when it is due. A
//! rule's place is saved only when everything before it was told, so that after a kill it is told (again). Kept in memory are
//! counts of bounded size, however long nobody takes the messages.

mod flight;
mod follower;
mod gather;
mod rule;
mod silence;
mod singleton;
mod source;
mod tally;
mod watch;

use std::thread;

use tokio::sync::oneshot;

pub use follower::Once;
pub use singleton::{Singleton, SingletonError, Start};
pub use source::SourceError;

use follower::Follower;
use source::OfTrail;

use crate::config::Config;
use crate::notify::Notifier;
use crate::stop::Stop;
use crate::store::sqlite::Reader;
use crate::store::{Paths, Places, give_way};

/// Why alerts cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Events cannot be read, or places saved.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No thread or timer.
    #[error("cannot start a thread: {0}. The limit on processes or memory is reached")]
    Thread(#[from] std::io::Error),
}

/// Starts telling, where there are rules and somebody to tell; the trail must be there. What is handed back resolves when it
/// has stopped.
///
/// From when this returns no event is missed: a rule that is new begins at the trail's present end.
///
/// # Errors
/// When trail or places cannot be opened.
pub async fn start(
    config: &Config,
    notifier: &Notifier,
    stop: Stop,
) -> Result<Option<oneshot::Receiver<()>>, StartError> {
    if config.alerts.is_empty() || !notifier.is_configured() {
        return Ok(None);
    }
    let paths = Paths::new(&config.store.path);
    let reader = Reader::open_to_follow(&paths).map_err(SourceError::from)?;
    let places = Places::open(&paths).map_err(SourceError::from)?;
    let mut follower = Follower::new(&config.alerts, OfTrail::new(reader, places), notifier.clone()).await?;
    // Its own runtime: what it does blocks nobody else.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, end) = oneshot::channel();
    thread::Builder::new().name("alert".to_owned()).spawn(move || {
        give_way("the follower of alerts");
        if let Err(error) = runtime.block_on(follower.run(stop)) {
            tracing::error!("alerts have ended: {error}");
        }
        // Whoever waits may be gone.
        let _heard = ended.send(());
    })?;
    Ok(Some(end))
}
