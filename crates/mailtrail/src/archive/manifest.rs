//! What an archive holds, as `manifest.json`. A file that is not named here does not count.

use serde::{Deserialize, Serialize};

use super::month::Month;
use super::names;
use super::tally::Total;
use crate::show::time::rfc3339;
use crate::store::backup::manifest::Keys;
use crate::store::keys::Identity;

/// The version written and read.
const FORMAT: u32 = 1;

/// An archive described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this description.
    format: u32,
    /// The mailtrail that wrote it last.
    pub mailtrail: String,
    /// Which keys the hashes need.
    pub keys: Keys,
    /// Its files.
    pub files: Vec<Entry>,
    /// Files that others stand for since: they are deleted and never read again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) replaced: Vec<String>,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// Which month its events are of, as `2025-12`, UTC.
    pub month: String,
    /// How many events.
    pub events: u64,
    /// Time of the first one, RFC 3339.
    pub first: String,
    /// Time of the last one.
    pub last: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// SHA-256 over timestamp (µs since the epoch, 8 bytes, big-endian) and event_key (16 bytes) of each event in their
    /// order, hex.
    pub keys_sha256: String,
    /// When it was written, RFC 3339.
    pub archived_at: String,
}

impl Entry {
    pub(super) fn new(name: String, month: Month, total: &Total, (bytes, sha256): (u64, String), now: i64) -> Self {
        Self {
            name,
            month: month.to_string(),
            events: total.events,
            first: rfc3339(total.first),
            last: rfc3339(total.last),
            bytes,
            sha256,
            keys_sha256: total.keys_sha256.clone(),
            archived_at: rfc3339(now),
        }
    }
}

impl Manifest {
    /// Of an archive that holds nothing yet.
    pub(super) fn new(keys: &Identity) -> Self {
        Self {
            format: FORMAT,
            mailtrail: env!("CARGO_PKG_VERSION").to_owned(),
            keys: Keys::of(keys),
            files: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// Reads it; an error says what is wrong.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| format!("manifest.json cannot be read (line {})", error.line()))?;
        if manifest.format != FORMAT {
            return Err(format!("manifest.json has form {}, this mailtrail reads {FORMAT}", manifest.format));
        }
        // Names come from outside: nothing but a month's file.
        let named = manifest
            .files
            .iter()
            .all(|file| names::parse(&file.name).is_some_and(|(month, _)| month.to_string() == file.month));
        if !named || manifest.replaced.iter().any(|name| names::parse(name).is_none()) {
            return Err("manifest.json names a file that is none of an archive's".to_owned());
        }
        Ok(manifest)
    }

    /// The files of one month, in the order in which they were written.
    pub(super) fn of_month(&self, month: Month) -> impl Iterator<Item = &Entry> {
        let month = month.to_string();
        self.files.iter().filter(move |file| file.month == month)
    }

    /// A name that no file of the month has or had.
    pub(super) fn free_name(&self, month: Month) -> String {
        let names = self.files.iter().map(|file| &file.name).chain(&self.replaced);
        let numbers = names.filter_map(|name| names::parse(name)).filter(|(of, _)| *of == month);
        names::name(month, numbers.map(|(_, number)| number).max().unwrap_or(0) + 1)
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }
}
