//! Tells of events as they come in, by the rules of the configuration.
//!
//! One thread of low priority reads the trail in pages, counts what a rule asks for, and posts a message when it is due. A
//! rule's place is saved only when everything before it was told, so that after a kill it is told (again). Kept in memory are
//! counts of bounded size, however long nobody takes the messages.

mod flight;
mod follower;
mod gather;
mod rule;
mod silence;
mod tally;
mod watch;

use std::thread;

use tokio::sync::oneshot;

use follower::Follower;

use crate::config::Config;
use crate::notify::Notifier;
use crate::stop::Stop;
use crate::store::sqlite::{ReadError, Reader};
use crate::store::{Paths, Places, PlacesError, give_way};

/// Why alerts cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The places cannot be saved.
    #[error(transparent)]
    Places(#[from] PlacesError),
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
pub fn start(config: &Config, notifier: &Notifier, stop: Stop) -> Result<Option<oneshot::Receiver<()>>, StartError> {
    if config.alerts.is_empty() || !notifier.is_configured() {
        return Ok(None);
    }
    let paths = Paths::new(&config.store.path);
    let follower =
        Follower::new(&config.alerts, Reader::open_to_follow(&paths)?, Places::open(&paths)?, notifier.clone())?;
    // Its own runtime: what it does blocks nobody else.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, end) = oneshot::channel();
    thread::Builder::new().name("alert".to_owned()).spawn(move || {
        give_way("the follower of alerts");
        runtime.block_on(follower.run(stop));
        // Whoever waits may be gone.
        let _heard = ended.send(());
    })?;
    Ok(Some(end))
}
