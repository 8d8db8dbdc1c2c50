//! An archive's folder. The manifest is its commit: a file is whole and synced before it is named there, and has its own name
//! afterwards.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::manifest::{Entry, Manifest};
use super::month::Month;
use super::names::{self, UNFINISHED};
use super::{ArchiveError, io_at};
use crate::files;
use crate::store::backup::checksum_of;
use crate::store::keys::Identity;

const MANIFEST: &str = "manifest.json";
/// Held by the one process that works in the folder.
const LOCK: &str = "archive.lock";

/// An archive, held by this process alone.
pub struct Folder {
    path: PathBuf,
    manifest: Manifest,
    _lock: File,
}

impl Folder {
    /// Opens an archive, or begins one where there is none. What an interrupted command left is finished or removed.
    ///
    /// # Errors
    /// When the folder cannot be used, belongs to other keys, or holds files that its manifest does not name.
    pub fn open(path: &Path, keys: &Identity) -> Result<Self, ArchiveError> {
        files::create_folder(path).map_err(io_at(path))?;
        Self::begin(path, keys, true)
    }

    /// Opens an archive that must be there.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where there is none.
    pub fn existing(path: &Path, keys: &Identity) -> Result<Self, ArchiveError> {
        Self::begin(path, keys, false)
    }

    fn begin(path: &Path, keys: &Identity, new: bool) -> Result<Self, ArchiveError> {
        let unsound = |why: String| ArchiveError::Unsound { path: path.to_owned(), why };
        if !new && !path.join(MANIFEST).is_file() {
            return Err(unsound(format!("there is no {MANIFEST} in it")));
        }
        let lock = lock(path)?;
        let text = match std::fs::read(path.join(MANIFEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.map_err(io_at(path))?),
        };
        let manifest = match text {
            Some(text) => Manifest::parse(&text).map_err(unsound)?,
            None => Manifest::new(keys),
        };
        if !manifest.keys.fit(keys) {
            return Err(ArchiveError::OtherKeys { path: path.to_owned() });
        }
        let mut folder = Self { path: path.to_owned(), manifest, _lock: lock };
        folder.tidy()?;
        Ok(folder)
    }

    /// What it holds.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finishes what was interrupted.
    fn tidy(&mut self) -> Result<(), ArchiveError> {
        for entry in std::fs::read_dir(&self.path).map_err(io_at(&self.path))? {
            let entry = entry.map_err(io_at(&self.path))?;
            let file_name = entry.file_name().to_string_lossy().into_owned();
            let (name, finished) = match file_name.strip_suffix(UNFINISHED) {
                Some(name) => (name, false),
                None => (file_name.as_str(), true),
            };
            if names::parse(name).is_none() {
                continue;
            }
            let path = entry.path();
            match (finished, self.manifest.names(name)) {
                (true, true) => {}
                (true, false) if self.manifest.replaced.iter().any(|replaced| replaced == name) => {}
                (true, false) => {
                    let why = format!(
                        "{name} is not named in {MANIFEST}. Put that one back if it was lost, or move the file away, or archive to another folder"
                    );
                    return Err(ArchiveError::Unsound { path: self.path.clone(), why });
                }
                (false, true) => std::fs::rename(&path, self.path.join(name)).map_err(io_at(&path))?,
                (false, false) => std::fs::remove_file(&path).map_err(io_at(&path))?,
            }
        }
        files::sync_folder(&self.path).map_err(io_at(&self.path))?;
        self.remove_replaced()
    }

    /// Deletes what the manifest lets go.
    fn remove_replaced(&mut self) -> Result<(), ArchiveError> {
        if self.manifest.replaced.is_empty() {
            return Ok(());
        }
        for name in &self.manifest.replaced {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&path)(error)),
                _ => {}
            }
        }
        files::sync_folder(&self.path).map_err(io_at(&self.path))?;
        self.manifest.replaced.clear();
        self.save()
    }

    /// The next file of a month: its name, and where it is to be written.
    pub(super) fn free(&self, month: Month) -> (String, PathBuf) {
        let name = self.manifest.free_name(month);
        let unfinished = self.path.join(format!("{name}{UNFINISHED}"));
        (name, unfinished)
    }

    /// Opens a new file for its owner alone.
    pub(super) fn create(&self, path: &Path) -> Result<File, ArchiveError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        options.open(path).map_err(io_at(path))
    }

    /// The file that [`free`](Self::free) gave is whole and synced: from here on it counts, instead of `replaced`.
    pub(super) fn commit(&mut self, new: Option<Entry>, replaced: Option<&Entry>) -> Result<(), ArchiveError> {
        if let Some(old) = replaced {
            self.manifest.files.retain(|file| file.name != old.name);
            self.manifest.replaced.push(old.name.clone());
        }
        let name = new.as_ref().map(|entry| entry.name.clone());
        self.manifest.files.extend(new);
        self.manifest.files.sort_by_key(|file| names::parse(&file.name));
        // Its name in the folder is durable before the manifest relies on it.
        files::sync_folder(&self.path).map_err(io_at(&self.path))?;
        self.save()?;
        if let Some(name) = name {
            let to = self.path.join(&name);
            std::fs::rename(self.path.join(format!("{name}{UNFINISHED}")), &to).map_err(io_at(&to))?;
            files::sync_folder(&self.path).map_err(io_at(&self.path))?;
        }
        self.remove_replaced()
    }

    fn save(&mut self) -> Result<(), ArchiveError> {
        env!("CARGO_PKG_VERSION").clone_into(&mut self.manifest.mailtrail);
        let path = self.path.join(MANIFEST);
        let at = io_at(&path);
        let text = serde_json::to_vec_pretty(&self.manifest).map_err(|error| at(error.into()))?;
        files::replace(&path, |file| file.write_all(&text)).map_err(at)
    }

    /// Opens a file of the manifest, once it is found to be as it was written.
    pub(super) fn open_sound(&self, entry: &Entry) -> Result<File, ArchiveError> {
        let path = self.path.join(&entry.name);
        let mut file = File::open(&path).map_err(io_at(&path))?;
        // Of the very file that is read afterwards, whatever happens to its name.
        if checksum_of(&mut file).map_err(io_at(&path))? != (entry.bytes, entry.sha256.clone()) {
            let why = format!("{} is not as it was written: put it back from a copy", entry.name);
            return Err(ArchiveError::Unsound { path: self.path.clone(), why });
        }
        file.rewind().map_err(io_at(&path))?;
        Ok(file)
    }
}

fn lock(folder: &Path) -> Result<File, ArchiveError> {
    let path = folder.join(LOCK);
    let file = files::create_private(&path).map_err(io_at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ArchiveError::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_at(&path)(error)),
    }
}
