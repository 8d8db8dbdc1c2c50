//! Puts a backup where there is no store.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::backup::manifest::{self, KEY, Manifest, Origin};
use super::backup::{BackupError, checksum, copy_private, io_at};
use super::keys::{Identity, Keys};
use super::lock::Lock;
use super::paths::Paths;
use super::restored;
use super::sqlite::Trail;
use crate::database;
use crate::files;

/// Behind the name of a file that is being restored.
const RESTORING: &str = ".restoring";

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

    /// Puts its key file where the configuration wants one and none is, or the same one is already.
    ///
    /// # Errors
    /// When there is another one already, the backup has none, or it cannot be written.
    pub fn restore_key(&self, to: &Path) -> Result<(), BackupError> {
        let Some(key) = self.manifest.files.iter().find(|file| file.name == KEY) else {
            let why = "it was made without --with-key; the key file has a backup of its own".to_owned();
            return Err(BackupError::Unsound { path: self.folder.clone(), why });
        };
        // As after an interrupted restore.
        if to.exists() && checksum(to).map_err(io_at(to))?.1 == key.sha256 {
            return Ok(());
        }
        copy_private(&self.folder.join(KEY), to)
    }

    /// Puts the store back. Nothing is overwritten: where any file of a store is, it is refused, unless an interrupted restore
    /// left it. An unsigned backup is refused unless that is allowed; says what its manifest proves.
    ///
    /// # Errors
    /// When something is there, the keys are others, the backup was changed, or a file cannot be written; then no store begins to
    /// exist, and it may be tried again.
    pub fn restore(&self, paths: &Paths, keys: &dyn Keys, allow_unsigned: bool) -> Result<Origin, BackupError> {
        let identity = keys.identity();
        if !self.manifest.keys.fit(&identity) {
            return Err(BackupError::OtherKeys);
        }
        let origin = self.manifest.origin(&identity);
        match origin {
            Origin::Proven => {}
            Origin::Unsigned if allow_unsigned => {}
            Origin::Unsigned => return Err(BackupError::Unsigned { path: self.folder.clone() }),
            Origin::Forged => {
                let why = "its manifest was changed, or signed with another key file".to_owned();
                return Err(BackupError::Unsound { path: self.folder.clone(), why });
            }
        }
        files::owner_only();
        files::create_folder(paths.folder()).map_err(io_at(paths.folder()))?;
        let _lock = Lock::take(&paths.lock())?;
        let marker = paths.restoring();
        if marker.exists() {
            if paths.trail().exists() {
                // The trail comes last, so that only the marker was left.
                self.is_that_of(&marker, paths)?;
                return finish(&marker).map(|()| origin);
            }
            remove_parts(paths)?;
        } else {
            refuse_existing(paths)?;
        }
        files::replace(&marker, |file| file.write_all(self.manifest.digest().as_bytes())).map_err(io_at(&marker))?;
        self.place(paths, &identity)?;
        finish(&marker)?;
        Ok(origin)
    }

    /// Refuses where the store that is there came from another backup.
    fn is_that_of(&self, marker: &Path, paths: &Paths) -> Result<(), BackupError> {
        let restored = std::fs::read_to_string(marker).map_err(io_at(marker))?;
        if restored.trim() == self.manifest.digest() { Ok(()) } else { refuse_existing(paths) }
    }

    fn place(&self, paths: &Paths, identity: &Identity) -> Result<(), BackupError> {
        let mut placed = Vec::new();
        for file in self.manifest.files.iter().filter(|file| file.name != KEY) {
            let unsound = |why: String| BackupError::Unsound { path: self.folder.clone(), why };
            let format = manifest::format(&file.name)
                .ok_or_else(|| unsound(format!("{} is no file that this mailtrail knows", file.name)))?;
            let place = manifest::place(paths, &file.name);
            let new = files::beside(&place, RESTORING);
            // Left by a restore that was cut off.
            database::remove_database(&new).map_err(io_at(&new))?;
            copy_private(&self.folder.join(&file.name), &new)?;
            if checksum(&new).map_err(io_at(&new))?.1 != file.sha256 {
                return Err(unsound(format!("{} changed while it was read", file.name)));
            }
            database::verify_schema(&new, format)?;
            database::verify(&new)?;
            placed.push((new, place));
        }
        for (new, place) in &placed {
            if place == paths.trail() {
                let mut trail = Trail::open(new)?;
                trail.adopt(identity)?;
                restored::note(&mut trail, self.manifest.created_at)?;
                trail.empty_log()?;
            }
        }
        // The trail last, when all others are there durably: it is what makes a store.
        let (trails, others): (Vec<_>, Vec<_>) = placed.iter().partition(|(_, place)| place == paths.trail());
        for group in [others, trails] {
            for (new, place) in group {
                std::fs::rename(new, place).map_err(io_at(place))?;
            }
            files::sync_folder(paths.folder()).map_err(io_at(paths.folder()))?;
        }
        Ok(())
    }
}

fn finish(marker: &Path) -> Result<(), BackupError> {
    std::fs::remove_file(marker).and_then(|()| files::sync_folder(files::folder_of(marker))).map_err(io_at(marker))
}

/// Files of a store, or of one that is being restored.
fn parts(paths: &Paths) -> Result<Vec<PathBuf>, BackupError> {
    let stem = paths.trail().file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = paths.folder();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let rest = name.strip_prefix(&stem).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        let is_part = |name: &str| ["db", "db-wal", "db-shm", "db-journal"].iter().any(|end| name.ends_with(end));
        let is_new = rest.split_once(RESTORING).is_some_and(|(name, _)| name.ends_with("db"));
        if is_part(rest) || is_new {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// An interrupted restore began where nothing was, and since then nothing but a restore can have made a store there.
fn remove_parts(paths: &Paths) -> Result<(), BackupError> {
    for path in parts(paths)? {
        std::fs::remove_file(&path).map_err(io_at(&path))?;
    }
    files::sync_folder(paths.folder()).map_err(io_at(paths.folder()))
}

fn refuse_existing(paths: &Paths) -> Result<(), BackupError> {
    let is_new = |path: &PathBuf| path.to_string_lossy().contains(RESTORING);
    match parts(paths)?.into_iter().find(|path| !is_new(path)) {
        None => Ok(()),
        Some(path) => {
            let todo = "a restore overwrites nothing; move the store away, or name another [store] path";
            Err(BackupError::Exists { path, todo })
        }
    }
}

#[cfg(test)]
mod tests;
