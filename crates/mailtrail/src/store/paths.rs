//! The files of one store, all beside each other.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use crate::run::RunName;

/// Names the files that belong to one trail: `mailtrail.db`, `mailtrail.spool-1.db`, `mailtrail.lock`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    trail: PathBuf,
}

impl Paths {
    /// From `[store] path`.
    #[must_use]
    pub fn new(trail: impl Into<PathBuf>) -> Self {
        Self { trail: trail.into() }
    }

    /// The trail's database.
    #[must_use]
    pub fn trail(&self) -> &Path {
        &self.trail
    }

    /// The spool of generation `n` (a new one is begun when a file can no longer be trusted).
    #[must_use]
    pub fn spool(&self, n: u32) -> PathBuf {
        self.trail.with_extension(format!("spool-{n}.db"))
    }

    /// The generations of the spool that exist, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn spools(&self) -> io::Result<Vec<u32>> {
        let stem = self.trail.file_stem().unwrap_or_default().as_encoded_bytes();
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.folder())? {
            let name = entry?.file_name();
            let number = name
                .as_encoded_bytes()
                .strip_prefix(stem)
                .and_then(|rest| rest.strip_prefix(b".spool-"))
                .and_then(|rest| rest.strip_suffix(b".db"))
                .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            found.extend(number.filter(|n| self.spool(*n).file_name() == Some(&name)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Held by the one process that receives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.trail.with_extension("lock")
    }

    /// How far the trail was forwarded.
    #[must_use]
    pub fn forwarded(&self) -> PathBuf {
        self.trail.with_extension("forward.db")
    }

    /// How far each follower has come.
    #[must_use]
    pub fn followers(&self) -> PathBuf {
        self.trail.with_extension("follow.db")
    }

    /// What waits to be passed on.
    #[must_use]
    pub fn relay(&self) -> PathBuf {
        self.trail.with_extension("relay.db")
    }

    /// Whom SendGrid was asked to mail.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.trail.with_extension("ledger.db")
    }

    /// Held by the one process that sends a run.
    #[must_use]
    pub fn run_lock(&self, run: &RunName) -> PathBuf {
        let digest = digest(&SHA256, run.as_str().as_bytes());
        let name = u64::from_be_bytes(digest.as_ref().first_chunk().copied().unwrap_or_default());
        self.trail.with_extension(format!("run-{name:016x}.lock"))
    }

    /// How far an interrupted reconciliation had come.
    #[must_use]
    pub fn reconcile(&self) -> PathBuf {
        self.trail.with_extension("reconcile.json")
    }

    /// There while a restore is not complete.
    #[must_use]
    pub fn restoring(&self) -> PathBuf {
        restoring(&self.trail)
    }

    /// The folder that holds them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.trail.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// What says beside a trail that a restore is not complete.
pub(super) fn restoring(trail: &Path) -> PathBuf {
    trail.with_extension("restoring")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spools_are_found_by_their_names() {
        let temp = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(temp.path().join("mail.db"));
        for name in [
            "mail.spool-10.db",
            "mail.spool-2.db",
            "mail.spool-2.db-wal",
            "mail.spool-03.db",
            "mail.spool-x.db",
            "x.spool-4.db",
        ] {
            std::fs::write(temp.path().join(name), "").expect("written");
        }
        assert_eq!(paths.spools().expect("read"), [2, 10]);
    }
}
