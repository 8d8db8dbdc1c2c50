//! Puts a backup where there is no store.

use std::path::{Path, PathBuf};

use super::backup::manifest::{self, KEY, Manifest};
use super::backup::{BackupError, checksum, copy_private, io_at};
use super::keys::Keys;
use super::lock::Lock;
use super::paths::Paths;
use super::restored;
use super::sqlite::Trail;
use crate::database;
use crate::files;

/// A backup whose files are as they were written.
pub struct Sound {
    folder: PathBuf,
    manifest: Manifest,
}

impl Sound {
    /// Reads a backup through.
    ///
    /// # Errors
    /// When it is none, or damaged.
    pub fn check(folder: &Path) -> Result<Self, BackupError> {
        Ok(Self { folder: folder.to_owned(), manifest: Manifest::verified(folder)? })
    }

    /// What it holds.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Puts its key file where the configuration wants one and none is.
    ///
    /// # Errors
    /// When there is one already, the backup has none, or it cannot be written.
    pub fn restore_key(&self, to: &Path) -> Result<(), BackupError> {
        if !self.manifest.files.iter().any(|file| file.name == KEY) {
            let why = "it was made without --with-key; the key file has a backup of its own".to_owned();
            return Err(BackupError::Unsound { path: self.folder.clone(), why });
        }
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            files::create_folder(folder).map_err(io_at(folder))?;
        }
        copy_private(&self.folder.join(KEY), to)
    }

    /// Puts the store back. Nothing is overwritten: where any file of a store is, it is refused.
    ///
    /// # Errors
    /// When something is there, the keys are others, or a file cannot be written; then no store begins to exist.
    pub fn restore(&self, paths: &Paths, keys: &dyn Keys) -> Result<(), BackupError> {
        let identity = keys.identity();
        if !self.manifest.keys.fit(&identity) {
            return Err(BackupError::OtherKeys);
        }
        files::owner_only();
        files::create_folder(paths.folder()).map_err(io_at(paths.folder()))?;
        let _lock = Lock::take(&paths.lock())?;
        refuse_existing(paths)?;
        let mut placed = Vec::new();
        for file in self.manifest.files.iter().filter(|file| file.name != KEY) {
            let place = manifest::place(paths, &file.name);
            let mut new = place.as_os_str().to_owned();
            new.push(".restoring");
            let new = PathBuf::from(new);
            // Left by a restore that was cut off.
            database::remove_database(&new).map_err(io_at(&new))?;
            copy_private(&self.folder.join(&file.name), &new)?;
            if checksum(&new).map_err(io_at(&new))?.1 != file.sha256 {
                let why = format!("{} changed while it was read", file.name);
                return Err(BackupError::Unsound { path: self.folder.clone(), why });
            }
            database::verify(&new)?;
            placed.push((new, place));
        }
        // The trail last: it is what makes a store.
        placed.sort_by_key(|(_, place)| place == paths.trail());
        for (new, place) in &placed {
            if place == paths.trail() {
                let mut trail = Trail::open(new)?;
                trail.adopt(&identity)?;
                restored::note(&mut trail, self.manifest.created_at)?;
                trail.empty_log()?;
            }
            std::fs::rename(new, place).map_err(io_at(place))?;
        }
        files::sync_folder(paths.folder()).map_err(io_at(paths.folder()))
    }
}

fn refuse_existing(paths: &Paths) -> Result<(), BackupError> {
    let stem = paths.trail().file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = paths.folder();
    for entry in std::fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let rest = name.strip_prefix(&stem).and_then(|rest| rest.strip_prefix('.'));
        let ours = rest.is_some_and(|rest| ["db", "db-wal", "db-shm"].iter().any(|end| rest.ends_with(end)));
        if ours {
            let todo = "a restore overwrites nothing; move the store away, or name another [store] path";
            return Err(BackupError::Exists { path: entry.path(), todo });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
