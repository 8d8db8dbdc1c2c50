//! One process receives for a store: it holds the lock file for as long as it lives.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::database::TrackedFiles;
use crate::files;

/// The lock, held. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// A lock whose file was removed keeps nobody out.
    _tracked: Arc<TrackedFiles>,
}

/// Why the lock is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{path} is held by {}: another `mailtrail serve` already receives for this store. Stop that one, or give this one another `[store] path`",
        .process.as_deref().unwrap_or("a process that did not leave its id")
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// `process 4711`, where it could be read.
        process: Option<String>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {path}: {source}. The store must be on a local file system that this user may write")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whoever only looks holds the lock for a moment; so long it is tried again.
const LOOKERS: Duration = Duration::from_millis(200);

impl Lock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// When another process holds it or the file cannot be used.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        let mut file = files::create_private(path).map_err(io)?;
        let until = Instant::now() + LOOKERS;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(LOOKERS / 20),
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { path: path.to_owned(), process: holder(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        let tracked = TrackedFiles::of(path.canonicalize());
        Ok(Self { _file: file, _tracked: tracked })
    }
}

/// Whether a process holds the lock; where there is no lock file, nobody does.
///
/// # Errors
/// When the file is there but cannot be used.
pub fn is_held(path: &Path) -> Result<bool, LockError> {
    let io = |source| LockError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io(error)),
    };
    // Shared, so that two who only look do not take each other for the holder.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Which process holds the lock at `path`; `None` where nobody does, or it did not leave its id. Takes nothing.
#[must_use]
pub fn holder_of(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.rewind().ok()?;
            file.take(20).read_to_string(&mut text).ok()?;
            text.trim().parse().ok()
        }
        _ => None,
    }
}

fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse::<u32>().ok().map(|id| format!("process {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_with_the_first_one_s_id_until_the_first_lets_go() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("mail.lock");
        std::fs::write(&path, "99999999 left by a longer id").expect("written");
        assert!(!is_held(&path).expect("looked at"), "nobody yet");
        let first = Lock::take(&path).expect("free");
        assert!(is_held(&path).expect("looked at"));
        assert!(!is_held(&temp.path().join("none")).expect("looked at"));
        let error = Lock::take(&path).expect_err("held");
        assert!(error.to_string().contains(&format!("held by process {}:", std::process::id())), "{error}");
        assert_eq!(holder_of(&path), Some(std::process::id()));
        drop(first);
        assert_eq!(holder_of(&path), None);
        drop(Lock::take(&path).expect("free again"));
    }

    #[test]
    fn whoever_looks_keeps_nobody_from_taking_it() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("mail.lock");
        drop(Lock::take(&path).expect("free"));
        let looking = File::open(&path).expect("there");
        looking.lock_shared().expect("a moment's look");
        let taker = std::thread::spawn(move || Lock::take(&path).map(drop));
        std::thread::sleep(LOOKERS / 10);
        drop(looking);
        taker.join().expect("no panic").expect("taken when the look is over");
    }
}
