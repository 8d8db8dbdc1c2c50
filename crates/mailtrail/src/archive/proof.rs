//! Is an event kept elsewhere? By the archive's own files, or by what BigQuery acknowledged.

use std::collections::HashSet;

use super::folder::Folder;
use super::month::Month;
use super::parquet::{Key, Keys};
use super::{ArchiveError, form_at};
use crate::config::BigQuery;
use crate::store::Paths;
use crate::store::bigquery::event_table;
use crate::store::query::{EventKey, EventRecord};
use crate::store::sqlite::Forwarded;

/// Looks events up in an archive. They must be asked for in the order of (timestamp, event_key): its files are gone through once,
/// beside them.
pub(super) struct Archived<'f> {
    folder: &'f Folder,
    month: Option<Month>,
    files: Vec<Open>,
}

struct Open {
    name: String,
    keys: Keys,
    next: Option<Key>,
}

impl<'f> Archived<'f> {
    pub(super) fn new(folder: &'f Folder) -> Self {
        Self { folder, month: None, files: Vec::new() }
    }

    pub(super) fn has(&mut self, event: &EventRecord) -> Result<bool, ArchiveError> {
        // A key that is none is in no archive.
        Key::of(event).map_or(Ok(false), |key| self.has_key(key))
    }

    fn has_key(&mut self, key: Key) -> Result<bool, ArchiveError> {
        let month = Month::of(key.timestamp);
        if self.month != Some(month) {
            self.month = Some(month);
            self.files.clear();
            for entry in self.folder.manifest().of_month(month) {
                let keys = Keys::open(self.folder.open_sound(entry)?)
                    .map_err(form_at(&self.folder.path().join(&entry.name)))?;
                let mut file = Open { name: entry.name.clone(), keys, next: None };
                file.advance(self.folder)?;
                self.files.push(file);
            }
        }
        for file in &mut self.files {
            while file.next.is_some_and(|next| next < key) {
                file.advance(self.folder)?;
            }
            if file.next == Some(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Open {
    fn advance(&mut self, folder: &Folder) -> Result<(), ArchiveError> {
        self.next = self.keys.next().transpose().map_err(form_at(&folder.path().join(&self.name)))?;
        Ok(())
    }
}

/// How far the trail was copied to BigQuery.
#[derive(Debug, Clone, Default)]
pub struct Forwarding {
    /// The table, for people.
    pub table: String,
    /// All events up to this id were acknowledged or refused.
    pub cursor: i64,
    /// Those that were refused.
    pub refused: HashSet<i64>,
}

impl Forwarding {
    /// As its saved place says; BigQuery is not asked.
    ///
    /// # Errors
    /// When the saved place cannot be read.
    pub fn look(config: &BigQuery, paths: &Paths) -> Result<Self, ArchiveError> {
        let table = event_table(config);
        if !paths.forwarded().try_exists().unwrap_or(true) {
            return Ok(Self { table, ..Self::default() });
        }
        let state = Forwarded::open(&paths.forwarded(), &table)?;
        let refused = state.refused(u32::MAX)?.into_iter().map(|event| event.id).collect();
        Ok(Self { cursor: state.cursor()?, refused, table })
    }
}

/// What proves that an event may go.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Its archive; without one, BigQuery's acknowledgement counts.
    pub archive: Option<&'a Folder>,
    /// Where the trail is forwarded: no event goes that is still to be copied.
    pub forwarding: Option<&'a Forwarding>,
}

/// Why an event has to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    NotArchived,
    NotForwarded,
    Refused,
}

/// What may go and what has to stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// Events that are proven to be kept elsewhere.
    pub proven: u64,
    /// Events that no sound file of the archive holds.
    pub not_archived: u64,
    /// Events that were not copied yet.
    pub not_forwarded: u64,
    /// Events that BigQuery refused, and no archive was named.
    pub refused: u64,
}

impl Survey {
    /// Whether nothing has to stay.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.not_archived + self.not_forwarded + self.refused == 0
    }

    pub(super) fn count(&mut self, judged: Option<Stays>) {
        *match judged {
            None => &mut self.proven,
            Some(Stays::NotArchived) => &mut self.not_archived,
            Some(Stays::NotForwarded) => &mut self.not_forwarded,
            Some(Stays::Refused) => &mut self.refused,
        } += 1;
    }
}

/// Judges events in the order of (timestamp, event_key).
pub(super) struct Judge<'a> {
    archived: Option<Archived<'a>>,
    forwarding: Option<&'a Forwarding>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(rules: Rules<'a>) -> Self {
        Self { archived: rules.archive.map(Archived::new), forwarding: rules.forwarding }
    }

    /// `None`: it may go.
    pub(super) fn judge(&mut self, event: &EventKey) -> Result<Option<Stays>, ArchiveError> {
        if self.forwarding.is_some_and(|forwarding| event.id > forwarding.cursor) {
            return Ok(Some(Stays::NotForwarded));
        }
        if let Some(archived) = &mut self.archived {
            let key = Key { timestamp: event.timestamp, event_key: event.event_key };
            return Ok((!archived.has_key(key)?).then_some(Stays::NotArchived));
        }
        Ok(match self.forwarding {
            Some(forwarding) => forwarding.refused.contains(&event.id).then_some(Stays::Refused),
            // Nothing was named that could prove it.
            None => Some(Stays::NotArchived),
        })
    }
}
