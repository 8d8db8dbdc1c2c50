//! What is received but not yet in the trail. A verdict needs what had come in before it was asked for.

use std::sync::Arc;
use std::time::Duration;

use super::SendsError;
use crate::spool;
use crate::store::keys::Keys;
use crate::store::lock::LockError;
use crate::store::{Keeper, KeeperOptions, Paths, StartError};

/// What had come in at a moment and was not in the trail then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Generation of the spool with the last number that waited in it.
    heads: Vec<(u32, i64)>,
}

/// How long a command waits for what had come in.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

impl Backlog {
    /// What waits now.
    pub(super) fn now(paths: &Paths) -> Result<Self, SendsError> {
        let mut heads = Vec::new();
        for generation in spools(paths)? {
            if let Some((_, last)) = spool::span(&paths.spool(generation))? {
                heads.push((generation, last));
            }
        }
        Ok(Self { heads })
    }

    /// Whether nothing waited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub(super) fn is_past(&mut self, paths: &Paths) -> Result<bool, SendsError> {
        if self.heads.is_empty() {
            return Ok(true);
        }
        let there = spools(paths)?;
        let mut left = Vec::new();
        for (generation, head) in &self.heads {
            // A file that is gone was drained.
            let first = if there.contains(generation) { spool::span(&paths.spool(*generation))? } else { None };
            if first.is_some_and(|(first, _)| first <= *head) {
                left.push((*generation, *head));
            }
        }
        self.heads = left;
        Ok(self.heads.is_empty())
    }
}

fn spools(paths: &Paths) -> Result<Vec<u32>, SendsError> {
    match paths.spools() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => Ok(other?),
    }
}

/// How many batches wait now, and how many events in them.
///
/// # Errors
/// When a spool cannot be looked at.
pub fn waiting(paths: &Paths) -> Result<(i64, i64), SendsError> {
    let (mut batches, mut events) = (0, 0);
    for generation in spools(paths)? {
        let pending = spool::look(&paths.spool(generation))?;
        batches += pending.batches;
        events += pending.events;
    }
    Ok((batches, events))
}

/// How many events wait now.
pub(super) fn behind(paths: &Paths) -> Result<i64, SendsError> {
    Ok(waiting(paths)?.1)
}

/// Brings what has come in so far to the trail: waits for `serve`, or does it itself where nothing else runs. Blocks for at most
/// [`PATIENCE`].
pub(super) fn catch_up(paths: &Paths, keys: Arc<dyn Keys>) -> Result<(), SendsError> {
    let mut backlog = Backlog::now(paths)?;
    if backlog.is_empty() {
        return Ok(());
    }
    let options = KeeperOptions { drain_at_stop: PATIENCE, ..KeeperOptions::default() };
    match Keeper::start(paths, options, keys) {
        Ok(keeper) => keeper.stop(),
        Err(StartError::Lock(LockError::Held { .. })) => {
            let mut waited = Duration::ZERO;
            while waited < PATIENCE && !backlog.is_past(paths)? {
                std::thread::sleep(LOOK);
                waited += LOOK;
            }
        }
        Err(other) => return Err(other.into()),
    }
    if backlog.is_past(paths)? { Ok(()) } else { Err(SendsError::Behind(behind(paths)?)) }
}
