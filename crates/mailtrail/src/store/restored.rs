//! Whether this store came back from a backup, so that its ledger may lack sends: whoever mails must know before it does.

use super::paths::Paths;
use super::sqlite::{ReadError, Trail, TrailError, restored_from, set_restored_from};

/// The store came from a backup, and nobody has said since that its ledger is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this store was restored from a backup: what was sent after it is not in its ledger, and could be mailed twice. Run `mailtrail reconcile`, or `mailtrail restore --ledger-is-whole` if nothing was sent since"
)]
pub struct Restored {
    /// When the backup was begun, µs since the epoch: sends after it may be missing.
    pub since: i64,
}

/// Asks; `None`: the ledger may be relied on. A store that does not exist yet was not restored.
///
/// # Errors
/// When the trail cannot be read.
pub fn look(paths: &Paths) -> Result<Option<Restored>, ReadError> {
    if !paths.trail().try_exists().unwrap_or(true) {
        return Ok(None);
    }
    Ok(restored_from(paths)?.map(|since| Restored { since }))
}

/// The ledger is whole again: reconciled since the backup, or by somebody's word.
///
/// # Errors
/// When the trail cannot be written.
pub fn clear(paths: &Paths) -> Result<(), TrailError> {
    set_restored_from(&mut Trail::open(paths.trail())?, None)
}

/// Notes where the store came from. The older backup counts, where there is an unsettled one already.
pub(super) fn note(trail: &mut Trail, since: i64) -> Result<(), TrailError> {
    set_restored_from(trail, Some(since))
}
