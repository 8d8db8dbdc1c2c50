//! What a file must hold, and what it does: counts and checksums taken once from the trail's events, once from those read back.

use std::hash::{Hash as _, Hasher};

use aws_lc_rs::digest::{Context, SHA256};

use super::parquet::Key;
use crate::store::query::EventRecord;

/// Counts events and sums them up, in their order.
#[derive(Clone)]
pub(super) struct Tally {
    keys: Context,
    all: Sha256,
    sound: bool,
    last_key: Option<Key>,
    first: Option<i64>,
    pub(super) events: u64,
}

/// A tally to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) events: u64,
    /// Time of the first and the last event, µs since the epoch.
    pub(super) first: i64,
    pub(super) last: i64,
    /// SHA-256 over timestamp (µs, 8 bytes, big-endian) and event_key (16 bytes) of each event in their order; hex.
    pub(super) keys_sha256: String,
    /// Over all columns; means something within this process alone.
    all: [u8; 32],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            keys: Context::new(&SHA256),
            all: Sha256(Context::new(&SHA256)),
            sound: true,
            last_key: None,
            first: None,
            events: 0,
        }
    }
}

impl Tally {
    /// Takes the next event; ids do not count.
    pub(super) fn add(&mut self, event: &EventRecord) {
        match Key::of(event) {
            Some(key) if self.last_key.is_none_or(|last| last < key) => {
                self.keys.update(&key.timestamp.to_be_bytes());
                self.keys.update(&key.event_key);
                self.last_key = Some(key);
            }
            // Out of order, twice, or without a key: whoever looks for keys would not find them.
            _ => self.sound = false,
        }
        self.first.get_or_insert(event.timestamp);
        self.events += 1;
        event.hash(&mut self.all);
    }

    /// All of it; `None` where there was nothing, or events were not each once in the order of (timestamp, event_key).
    pub(super) fn total(self) -> Option<Total> {
        let (first, last) = (self.first?, self.last_key?);
        let mut all = [0; 32];
        all.copy_from_slice(self.all.0.finish().as_ref());
        self.sound.then(|| Total {
            events: self.events,
            first,
            last: last.timestamp,
            keys_sha256: self.keys.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
            all,
        })
    }
}

/// Takes what a value hashes of itself, lengths and all.
#[derive(Clone)]
struct Sha256(Context);

impl Hasher for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest is taken whole instead.
    fn finish(&self) -> u64 {
        0
    }
}
