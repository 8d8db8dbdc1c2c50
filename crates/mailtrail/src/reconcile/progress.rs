//! How far it is, and what it came to; saved after each window, so that an interruption costs one window.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;

/// Times are µs since the epoch; all else counts since the beginning, interruptions or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Messages made from then on.
    pub since: i64,
    /// And before this.
    pub until: i64,
    /// Up to here all is done.
    pub edge: i64,
    /// Whether every message's events are fetched.
    pub every_message: bool,
    /// Whose messages; `None`: the account's own.
    #[serde(default)]
    pub subuser: Option<u64>,
    /// Messages looked at.
    pub messages: u64,
    /// Those whose events were fetched, since something was missing.
    pub incomplete: u64,
    /// Events that the trail did not have.
    pub repaired: u64,
    /// Parts of answers that could not be read, sealed in quarantine.
    pub quarantined: u64,
    /// Requests made, repetitions too.
    pub requests: u64,
    /// Messages that SendGrid had no more when their events were asked for.
    pub gone: u64,
    /// Messages with as many events as SendGrid tells, so that older ones may be missing.
    pub cut_short: u64,
    /// Instants with more messages of one status than SendGrid tells.
    pub unseen_windows: u64,
}

impl Progress {
    /// At the beginning.
    #[must_use]
    pub fn new(since: i64, until: i64, every_message: bool) -> Self {
        Self {
            since,
            until,
            edge: since,
            every_message,
            subuser: None,
            messages: 0,
            incomplete: 0,
            repaired: 0,
            quarantined: 0,
            requests: 0,
            gone: 0,
            cut_short: 0,
            unseen_windows: 0,
        }
    }

    /// What was saved; `None` where nothing was.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn load(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves it, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        files::replace(path, |file| file.write_all(&text))
    }

    /// Whole seconds at the ends: the logs' times may be rounded.
    pub(super) fn edge_ms(&self) -> i64 {
        self.edge.div_euclid(1000)
    }

    pub(super) fn until_ms(&self) -> i64 {
        self.until.div_euclid(1000)
    }

    pub(super) fn reach(&mut self, ms: i64) {
        self.edge = ms.saturating_mul(1000);
    }
}
