//! What a backup holds, as `manifest.json`. Written last: a folder without one is no backup.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{BackupError, checksum, io_at};
use crate::database::Format;
use crate::files;
use crate::spool;
use crate::store::keys::Identity;
use crate::store::paths::Paths;
use crate::store::{ledger, places, sqlite};

const FILE: &str = "manifest.json";
/// The version written and read.
const FORMAT: u32 = 1;

/// The trail among the parts of a store.
pub(super) const TRAIL: &str = "trail.db";
/// The ledger of sends.
const LEDGER: &str = "ledger.db";
/// What waits to be passed on: bodies with plain addresses, which must not outlive `[[relay]] max_age` in a copy.
pub(super) const LEFT_OUT: &str = "relay.db";
/// The key file, where it was asked for.
pub(in crate::store) const KEY: &str = "mailtrail.key";

/// A backup described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this description.
    format: u32,
    /// The mailtrail that made it.
    pub mailtrail: String,
    /// When it was begun, µs since the epoch: what was acknowledged before is in it.
    pub created_at: i64,
    /// Which keys it needs.
    pub keys: Keys,
    /// Its files.
    pub files: Vec<Copied>,
    /// Proves that it was made with the store's key file: an HMAC over all the rest. Backups of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authentication: Option<String>,
}

/// What a manifest proves of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was made by who has the key file.
    Proven,
    /// It has no signature.
    Unsigned,
    /// Its signature is another one: it was changed, or made with another key file.
    Forged,
}

/// Check values of keys: they tell keys apart and give none away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    hash_mode: String,
    key_id: String,
    dedupe_check: String,
    seal_key_id: String,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Its name in the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Version of its tables; `None` for the key file.
    pub format: Option<i64>,
    /// Rows by table, as read back.
    pub rows: BTreeMap<String, i64>,
}

impl Keys {
    /// Of these keys.
    pub(crate) fn of(keys: &Identity) -> Self {
        Self {
            hash_mode: keys.hash_mode.clone(),
            key_id: keys.key_id.clone(),
            dedupe_check: keys.dedupe_check.clone(),
            seal_key_id: keys.seal_key_id.clone(),
        }
    }

    /// Whether these keys can work with the backup.
    pub(crate) fn fit(&self, keys: &Identity) -> bool {
        let hash_key = self.key_id == keys.key_id || keys.previous_key_ids.contains(&self.key_id);
        self.hash_mode == keys.hash_mode && self.dedupe_check == keys.dedupe_check && hash_key
    }
}

impl Manifest {
    pub(super) fn new(created_at: i64, keys: &Identity, files: Vec<Copied>) -> Self {
        let mailtrail = env!("CARGO_PKG_VERSION").to_owned();
        let mut manifest =
            Self { format: FORMAT, mailtrail, created_at, keys: Keys::of(keys), files, authentication: None };
        manifest.authentication = Some(keys.backup_key.sign(&manifest.signed_bytes()));
        manifest
    }

    /// All but the signature.
    fn signed_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&Self { authentication: None, ..self.clone() }).unwrap_or_default()
    }

    /// Whether it was made by who has these keys.
    #[must_use]
    pub fn origin(&self, keys: &Identity) -> Origin {
        match &self.authentication {
            None => Origin::Unsigned,
            Some(signature) if keys.backup_key.verify(&self.signed_bytes(), signature) => Origin::Proven,
            Some(_) => Origin::Forged,
        }
    }

    /// Tells backups apart.
    pub(in crate::store) fn digest(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(FILE);
        let at = io_at(&path);
        let text = serde_json::to_vec_pretty(self).map_err(|error| at(error.into()))?;
        files::replace(&path, |file| file.write_all(&text)).map_err(at)
    }

    /// Reads a backup's description and checks every file against it.
    pub(in crate::store) fn verified(folder: &Path) -> Result<Self, BackupError> {
        let unsound = |why: String| BackupError::Unsound { path: folder.to_owned(), why };
        let text = std::fs::read(folder.join(FILE)).map_err(|error| unsound(format!("{FILE}: {error}")))?;
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|error| unsound(format!("{FILE} cannot be read (line {})", error.line())))?;
        if manifest.format != FORMAT {
            return Err(unsound(format!("its form is {}, this mailtrail reads {FORMAT}", manifest.format)));
        }
        if !manifest.files.iter().any(|file| file.name == TRAIL) {
            return Err(unsound("it has no trail".to_owned()));
        }
        for file in &manifest.files {
            // Names come from outside: nothing but a part of a store, or the key.
            if !is_part(&file.name) && file.name != KEY {
                return Err(unsound("it names a file that is no part of a store".to_owned()));
            }
            let path = folder.join(&file.name);
            let found = checksum(&path).map_err(io_at(&path))?;
            if found != (file.bytes, file.sha256.clone()) {
                return Err(unsound(format!("{} is not as it was written", file.name)));
            }
        }
        Ok(manifest)
    }

    /// How many of something it holds, over all files.
    #[must_use]
    pub fn rows(&self, table: &str) -> i64 {
        self.files.iter().filter_map(|file| file.rows.get(table)).sum()
    }
}

/// Whether this names one of a store's databases.
pub(super) fn is_part(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".db") else { return false };
    !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whose copy comes first.
pub(super) fn turn(part: &str) -> u8 {
    match part {
        TRAIL => 2,
        LEDGER => 3,
        _ if part.starts_with("spool-") => 1,
        _ => 0,
    }
}

/// The format of a part; `None` where this version knows none of that name.
pub(in crate::store) fn format(part: &str) -> Option<&'static Format> {
    match part {
        TRAIL => Some(&sqlite::FORMAT),
        LEDGER => Some(&ledger::FORMAT),
        "follow.db" => Some(&places::FORMAT),
        "forward.db" => Some(&sqlite::FORWARDED_FORMAT),
        _ if part.starts_with("spool-") => Some(&spool::FORMAT),
        _ => None,
    }
}

/// Where a part belongs.
pub(in crate::store) fn place(paths: &Paths, part: &str) -> PathBuf {
    if part == TRAIL { paths.trail().to_owned() } else { paths.trail().with_extension(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_files_of_the_store_alone() {
        for name in ["trail.db", "spool-12.db", "follow.db", "ledger.db"] {
            assert!(is_part(name), "{name}");
        }
        for name in ["", ".db", "../x.db", "a/b.db", "x.db-wal", "mailtrail.toml", "X.db", "a.b.db"] {
            assert!(!is_part(name), "{name}");
        }
        let mut parts = ["ledger.db", "trail.db", "spool-2.db", "follow.db"];
        parts.sort_by_key(|part| turn(part));
        assert_eq!(parts, ["follow.db", "spool-2.db", "trail.db", "ledger.db"]);
    }
}
