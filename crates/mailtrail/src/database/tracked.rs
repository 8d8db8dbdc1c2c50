//! Whether files that are open are still the ones at their paths.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::files::beside;

/// An open file was replaced or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{path} was replaced or removed while it is open: what is written to it would be lost with this process. Put the file back, or restart mailtrail"
)]
pub struct Replaced {
    /// Which file.
    pub path: PathBuf,
}

/// Files that belong together and are open, from now until this is dropped.
#[derive(Debug)]
pub(crate) struct TrackedFiles(Vec<(PathBuf, Identity)>);

/// Device and inode.
type Identity = (u64, u64);

/// All that this process has open for writing.
static OPEN: Mutex<Vec<Weak<TrackedFiles>>> = Mutex::new(Vec::new());

impl TrackedFiles {
    /// A database that is open, with its log and the log's index.
    pub(super) fn of_database(path: &Path) -> Arc<Self> {
        Self::of(["", "-wal", "-shm"].map(|suffix| beside(path, suffix)))
    }

    /// Files that were just opened. One that is not there is not tracked.
    pub(crate) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Arc<Self> {
        let found = paths.into_iter().filter_map(|path| Some((identity(&path)?, path)));
        let files = Arc::new(Self(found.map(|(identity, path)| (path, identity)).collect()));
        let mut open = open();
        open.retain(|files| files.strong_count() > 0);
        open.push(Arc::downgrade(&files));
        files
    }

    pub(crate) fn check(&self) -> Result<(), Replaced> {
        let replaced = self.0.iter().find(|(path, opened)| identity(path) != Some(*opened));
        replaced.map_or(Ok(()), |(path, _)| Err(Replaced { path: path.clone() }))
    }
}

/// Checks all that this process has open for writing in a folder.
pub(crate) fn check_folder(folder: &Path) -> Result<(), Replaced> {
    let open: Vec<_> = open().iter().filter_map(Weak::upgrade).collect();
    open.iter()
        .filter(|files| files.0.iter().any(|(path, _)| path.parent() == Some(folder)))
        .try_for_each(|f| f.check())
}

fn open() -> MutexGuard<'static, Vec<Weak<TrackedFiles>>> {
    // Nothing panics while it holds the lock; if it ever does, the list is still whole.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found: Metadata| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_or_removed_is_named_until_it_returns_or_is_closed() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = fs::canonicalize(temp.path()).expect("a path");
        let (path, away) = (folder.join("a.db"), folder.join("away"));
        fs::write(&path, "").expect("written");
        let files = TrackedFiles::of_database(&path);
        assert_eq!(check_folder(&folder), Ok(()));
        fs::rename(&path, &away).expect("moved");
        assert_eq!(check_folder(&folder), Err(Replaced { path: path.clone() }));
        fs::write(&path, "").expect("another file");
        assert_eq!(files.check(), Err(Replaced { path: path.clone() }));
        assert_eq!(check_folder(Path::new("/")), Ok(()), "other stores are not meant");
        fs::rename(&away, &path).expect("moved back");
        assert_eq!(check_folder(&folder), Ok(()));
        fs::remove_file(&path).expect("removed");
        drop(files);
        assert_eq!(check_folder(&folder), Ok(()));
    }
}
