//! The store as the receiver sees it: a batch goes in, durable when the call returns; all the rest happens behind.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::drain::{self, DrainState, Relayed};
use super::keys::Keys;
use super::ledger::bring_up_to_date;
use super::lock::{Lock, LockError};
use super::paths::Paths;
use super::sqlite::{Trail, TrailError};
use crate::clock;
use crate::database::OpenError;
use crate::files;
use crate::protect::SealedPost;
use crate::spool::{Backlog, CommitError, CommitReceipt, Position, Record, Spool, SpoolFiles, Underway};

/// What a keeper may use.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// Largest backlog in the spool; beyond it [`CommitError::Full`].
    pub max_backlog_bytes: u64,
    /// Whether a public key of SendGrid's is configured: the store remembers since when.
    pub has_public_key: bool,
    /// Whether POSTs in the spool that are to be passed on are kept for that; else they go with their batches.
    pub keep_posts: bool,
    /// How long [`Keeper::stop`] drains; what is left waits for the next start.
    pub drain_at_stop: Duration,
}

impl Default for KeeperOptions {
    fn default() -> Self {
        Self {
            max_backlog_bytes: 1 << 30,
            has_public_key: false,
            keep_posts: true,
            drain_at_stop: Duration::from_secs(10),
        }
    }
}

/// Why a store cannot be opened for receiving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder cannot be created or read.
    #[error(
        "cannot use the folder {path}: {source}. Create it for the user that runs mailtrail, or set `[store] path`"
    )]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process receives.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] OpenError),
    /// The trail cannot be opened.
    #[error(transparent)]
    Trail(#[from] TrailError),
}

/// How a keeper is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperState {
    /// What is durable but not in the trail yet.
    pub backlog: Backlog,
    /// The bound on `backlog.bytes`.
    pub max_backlog_bytes: u64,
    /// When the oldest of the backlog came in, µs since the epoch.
    pub oldest_received_at: Option<i64>,
    /// Events added to the trail since the start.
    pub stored: u64,
    /// Items that the trail held already, since the start.
    pub duplicate: u64,
    /// Items added to the quarantine since the start.
    pub quarantined: u64,
    /// Events of forgotten addresses that came in late and were not stored, since the start.
    pub forgotten: u64,
    /// Which spool file is written; more than at the start means that one met an I/O error.
    pub spool_generation: u32,
    /// Why batches are refused at present; `None` while they are taken.
    pub not_writable: Option<Arc<str>>,
    /// Files of the store were replaced or removed, so that batches are refused.
    pub replaced: bool,
    /// Why the backlog is not being drained at present; `None` while it is.
    pub not_draining: Option<Arc<str>>,
}

/// Takes batches for good. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    parts: Arc<Parts>,
}

struct Parts {
    spool: Spool,
    drain: Arc<DrainState>,
    thread: Mutex<Option<JoinHandle<()>>>,
    drain_at_stop: Duration,
}

impl Keeper {
    /// Opens the store, creating what is missing, and begins to drain what an earlier process left.
    ///
    /// # Errors
    /// When another process receives for this store, a file cannot be opened or is of a newer version, or the keys are
    /// not those of this store.
    pub fn start(paths: &Paths, options: KeeperOptions, keys: Arc<dyn Keys>) -> Result<Self, StartError> {
        files::owner_only();
        let folder = |source| StartError::Folder { path: paths.folder().to_owned(), source };
        files::create_folder(paths.folder()).map_err(folder)?;
        // Both threads hold it, so that it is let go after the last write.
        let lock = Arc::new(Lock::take(&paths.lock())?);
        let mut trail = Trail::open(paths.trail())?;
        trail.adopt(&keys.identity())?;
        if options.has_public_key {
            trail.note_public_key(clock::now_micros())?;
        }
        bring_up_to_date(paths)?;
        let existing = paths.spools().map_err(folder)?;
        let name = paths.clone();
        let files = SpoolFiles { name: Arc::new(move |generation| name.spool(generation)), existing };
        let (spool, outlet) = Spool::open(files, options.max_backlog_bytes, Arc::clone(&lock) as Arc<dyn Send + Sync>)?;
        let drain = Arc::new(DrainState::new());
        let state = Arc::clone(&drain);
        let relayed = Relayed::open(paths.clone(), options.keep_posts);
        let spawned = thread::Builder::new().name("drain".to_owned()).spawn(move || {
            drain::run(outlet, trail, relayed, keys.as_ref(), &state);
            drop(lock);
        });
        match spawned {
            Ok(thread) => Ok(Self {
                parts: Arc::new(Parts {
                    spool,
                    drain,
                    thread: Mutex::new(Some(thread)),
                    drain_at_stop: options.drain_at_stop,
                }),
            }),
            Err(source) => {
                spool.stop();
                Err(OpenError::Thread { source }.into())
            }
        }
    }

    /// Stores a batch; when this returns `Ok` it outlives any crash.
    ///
    /// # Errors
    /// When the batch was not, or not certainly, stored: the sender must repeat it (503).
    pub async fn commit(&self, record: Record) -> Result<CommitReceipt, CommitError> {
        self.parts.spool.commit(record, None).await
    }

    /// Stores a batch together with its POST as it came, which is to be passed on: both outlive any crash, or none does.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn commit_with_post(&self, record: Record, post: SealedPost) -> Result<CommitReceipt, CommitError> {
        self.parts.spool.commit(record, Some(post)).await
    }

    /// A batch is being made, until what this returns is dropped: where many are, answering them comes before draining.
    #[must_use]
    pub fn underway(&self) -> Underway {
        self.parts.spool.underway()
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self) -> KeeperState {
        let (shared, drain) = (self.parts.spool.shared(), &self.parts.drain);
        let (backlog, max_backlog_bytes, totals) = (shared.backlog(), shared.max_bytes(), drain.totals());
        let not_writable = if shared.is_closed() {
            Some(CommitError::Closed.to_string().into())
        } else if backlog.bytes >= max_backlog_bytes {
            Some(CommitError::Full.to_string().into())
        } else {
            shared.why_blocked()
        };
        KeeperState {
            backlog,
            max_backlog_bytes,
            oldest_received_at: shared.oldest(),
            stored: totals.stored,
            duplicate: totals.duplicate,
            quarantined: totals.quarantined,
            forgotten: totals.forgotten,
            spool_generation: shared.head().generation,
            not_writable,
            replaced: shared.why_replaced().is_some(),
            not_draining: drain.trouble(),
        }
    }

    /// Waits until all that was committed before the call is in the trail, or until the keeper stops.
    pub async fn drained(&self) {
        let head = self.parts.spool.head();
        let mut position = self.parts.drain.watch();
        // Somebody waits: no more gathering.
        self.parts.spool.shared().poke();
        // The sender lives in `self`; it ends with the keeper alone.
        let _reached = position.wait_for(|position| *position >= head || self.parts.spool.shared().is_closed()).await;
    }

    /// Hears whenever the drain has looked, whether it moved something or not.
    #[must_use]
    pub fn watch_drain(&self) -> Looks {
        Looks(self.parts.drain.watch())
    }

    /// Takes no more batches, answers those that wait, drains within a bound, settles the files and closes them.
    /// Blocks meanwhile.
    pub fn stop(&self) {
        self.parts.stop(self.parts.drain_at_stop);
    }
}

/// Hears of the drain's looks.
pub struct Looks(tokio::sync::watch::Receiver<Position>);

impl Looks {
    /// Waits for the next look, or for the drain's end.
    pub async fn next(&mut self) {
        // An error says that the drain ended: whoever waits is told to stop then.
        let _ended = self.0.changed().await;
    }
}

impl Parts {
    fn stop(&self, bound: Duration) {
        self.spool.close();
        self.drain.stop_by(Instant::now() + bound);
        self.spool.shared().poke();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the drain ended in a panic; what it left is drained at the next start");
        }
        self.spool.stop();
    }
}

/// A keeper that is dropped leaves its backlog to the next start.
impl Drop for Parts {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests;
