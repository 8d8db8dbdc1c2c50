//! Copies a store while it is written, so that nothing acknowledged before is missing from the copy.
//!
//! The order makes it so. What moves from spool to trail meanwhile is in both copies, never in none: the spool comes before the
//! trail. Places of followers come before that, so that no follower is ahead of its trail; the ledger last, since what
//! it lacks may be mailed again. POSTs that wait to be passed on are left out: they hold plain addresses, and may not get old.

pub mod manifest;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::keys::Identity;
use super::paths::Paths;
use super::sqlite::{TrailError, health};
use crate::clock;
use crate::database::{self, OpenError};
use crate::files;
use crate::spool;
use manifest::{Copied, KEY, LEFT_OUT, Manifest, TRAIL};

/// Why there is no backup, or none that can be relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The trail.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// Something is there already.
    #[error("{path} is there already: {todo}")]
    Exists {
        /// What.
        path: PathBuf,
        /// What to do.
        todo: &'static str,
    },
    /// No backup, or a damaged one.
    #[error("{path} is no sound backup: {why}")]
    Unsound {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nothing proves who made it.
    #[error(
        "{path} is not signed, as backups of earlier versions are not: nothing proves that it was made with this key file and not changed since. If you trust the folder, restore it with --allow-unauthenticated"
    )]
    Unsigned {
        /// The folder.
        path: PathBuf,
    },
    /// Other keys than the store's.
    #[error(
        "the backup belongs to other keys than [privacy] key_file: with these nobody in it could be found. Put its key file back first (of a backup made with --with-key: restore --with-key)"
    )]
    OtherKeys,
    /// Another process has the store.
    #[error(transparent)]
    Lock(#[from] super::lock::LockError),
}

pub(super) fn io_at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |source| BackupError::Io { path: path.to_owned(), source }
}

/// Copies the store into a folder that must be empty or absent; reads every copy back. `key_file` goes along where it is
/// named.
///
/// # Errors
/// When something cannot be read, written or verified; then the folder has no manifest, and so is no backup.
pub fn backup(paths: &Paths, keys: &Identity, folder: &Path, key_file: Option<&Path>) -> Result<Manifest, BackupError> {
    files::owner_only();
    health::keys_fit(paths.trail(), keys)?;
    files::create_folder(folder).map_err(io_at(folder))?;
    if std::fs::read_dir(folder).map_err(io_at(folder))?.next().is_some() {
        return Err(BackupError::Exists { path: folder.to_owned(), todo: "name a new or an empty folder" });
    }
    let created_at = clock::now_micros();
    let mut files = Vec::new();
    for part in parts(paths)? {
        let from = manifest::place(paths, &part);
        let to = folder.join(&part);
        match database::snapshot(&from, &to) {
            Ok(()) if part.starts_with("spool-") => spool::leave_out_posts(&to)?,
            Ok(()) => {}
            // A spool file that was drained and removed since it was listed: its events are in the trail, which follows.
            Err(_) if part.starts_with("spool-") && !from.exists() => continue,
            Err(error) => return Err(error.into()),
        }
        let content = database::verify(&to)?;
        let (bytes, sha256) = checksum(&to).map_err(io_at(&to))?;
        files.push(Copied { name: part, bytes, sha256, format: Some(content.format), rows: content.rows });
    }
    if let Some(key_file) = key_file {
        let to = folder.join(KEY);
        copy_private(key_file, &to)?;
        let (bytes, sha256) = checksum(&to).map_err(io_at(&to))?;
        files.push(Copied { name: KEY.to_owned(), bytes, sha256, format: None, rows: Default::default() });
    }
    let manifest = Manifest::new(created_at, keys, files);
    manifest.write(folder)?;
    Ok(manifest)
}

/// The store's databases by what their names have behind the trail's, in the order in which they are to be copied.
fn parts(paths: &Paths) -> Result<Vec<String>, BackupError> {
    let stem = paths.trail().file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = paths.folder();
    let mut parts = vec![TRAIL.to_owned()];
    for entry in std::fs::read_dir(folder).map_err(io_at(folder))? {
        let name = entry.map_err(io_at(folder))?.file_name();
        let part = name.to_str().and_then(|name| name.strip_prefix(&stem)?.strip_prefix('.'));
        parts.extend(
            part.filter(|part| manifest::is_part(part) && ![TRAIL, LEFT_OUT].contains(part)).map(str::to_owned),
        );
    }
    parts.sort_by_key(|part| (manifest::turn(part), part.clone()));
    Ok(parts)
}

/// Size and SHA-256 of a file.
pub(super) fn checksum(path: &Path) -> io::Result<(u64, String)> {
    checksum_of(&mut File::open(path)?)
}

/// Size and SHA-256 of what is left to read.
pub(crate) fn checksum_of(file: &mut impl io::Read) -> io::Result<(u64, String)> {
    let (mut digest, mut bytes, mut buffer) = (Context::new(&SHA256), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        bytes += read as u64;
        digest.update(&buffer[..read]);
    }
}

/// Copies a file for the owner's eyes alone, whole or not at all, durably; `to` must not be there yet.
pub(super) fn copy_private(from: &Path, to: &Path) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists { path: to.to_owned(), todo: "move it away first" });
    }
    let mut source = File::open(from).map_err(io_at(from))?;
    files::replace(to, |target| io::copy(&mut source, target).map(drop)).map_err(io_at(to))
}
