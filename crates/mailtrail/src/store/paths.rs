//! The files of one store, all beside each other.

use std::path::{Path, PathBuf};

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

    /// Held by the one process that receives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.trail.with_extension("lock")
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
