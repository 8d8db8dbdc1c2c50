//! Moving in: events that another store, another mailtrail or a file kept, into the trail, each once.
//!
//! Whatever the source, an event is told by the key that the webhook would give it, so importing again, in another order or
//! beside a receiver adds nothing twice. Everything passes `protect` as if it came from outside, since it does.

mod cell;
mod counts;
mod csv;
mod dry_run;
mod format;
mod objects;
mod open;
mod pace;
mod parquet;
mod recipients;
mod record;
mod row;
mod source;
mod table;
mod time;

pub use counts::Counts;
pub use format::Format;
pub use open::Opened;
pub use recipients::{Hashes, Recipients, Rehash};
pub use row::Unknown;
pub use source::SourceError;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::clock::now_micros;
use crate::config::Privacy;
use crate::decode::decode;
use crate::protect::{Imported, KeyRing, Protector, Vouching};
use crate::receive::Authentic;
use crate::spool::Record;
use crate::store::bigquery::{BigQueryError, Loader};
use crate::store::sqlite::{ReadError, Reader, Trail, TrailError};
use dry_run::would_append;
use pace::Pace;
use recipients::Found;
use source::Item;

/// Bytes that are held at most before they are written.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a row, beside its texts, about.
const ROW: usize = 1024;
/// Why it does not go on. What was stored stays; to begin again costs nothing but time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The trail cannot be written.
    #[error(transparent)]
    Write(#[from] TrailError),
    /// BigQuery does not take it.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// Nobody has said what made the source's hashes.
    #[error(
        "its rows have an email_hash and do not say which key made it. Say --hash same if [privacy] here makes the same hashes, \
         --hash sha256 if they are SHA-256 of the address, or --rehash LIST with a list of the addresses; --hash none keeps the \
         events without whom they are about"
    )]
    Undecided,
}

/// Where events go.
pub enum Target {
    /// Into the trail.
    Trail(Box<Trail>),
    /// Into a table of BigQuery's.
    BigQuery(Box<Loader>),
    /// Nowhere: what would become of them is looked up, where there is a trail.
    DryRun(Option<Box<Reader>>),
}

/// How it is done.
pub struct Manner {
    /// What a source's own word on its proof counts for.
    pub vouching: Vouching,
    /// Whether `serve` runs, and must not be held up.
    pub beside_serve: bool,
}

/// Brings events into a trail.
pub struct Importer {
    keys: Arc<KeyRing>,
    protector: Protector,
    recipients: Recipients,
    vouching: Vouching,
    target: Target,
    pace: Pace,
    waiting: Waiting,
    seen: HashSet<[u8; 16]>,
    counts: Counts,
}

/// What is read and not yet written.
#[derive(Default)]
struct Waiting {
    rows: Vec<Imported>,
    posted: Vec<Vec<u8>>,
    unread: Vec<(Vec<u8>, &'static str)>,
    bytes: usize,
}

impl Waiting {
    fn len(&self) -> usize {
        self.rows.len() + self.posted.len() + self.unread.len()
    }
}

impl Importer {
    /// Into `target`, by the rules of `[privacy]`.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, privacy: &Privacy, recipients: Recipients, target: Target, manner: &Manner) -> Self {
        Self {
            protector: Protector::new(Arc::clone(&keys), privacy),
            keys,
            recipients,
            vouching: manner.vouching,
            target,
            pace: Pace::new(manner.beside_serve),
            waiting: Waiting::default(),
            seen: HashSet::new(),
            counts: Counts::default(),
        }
    }

    /// Reads a source to its end; counts go on over several. `progress` is called after each transaction.
    ///
    /// # Errors
    /// When the source or the trail fails; what was read before is stored.
    pub fn run(
        &mut self,
        opened: &mut Opened,
        mut progress: impl FnMut(&Counts, &Opened),
    ) -> Result<Unknown, ImportError> {
        let read = self.read(opened, &mut progress);
        // What was read before a failure is as good as if there had been none.
        let written = self.write().and_then(|()| self.settle());
        progress(&self.counts, opened);
        read?;
        written?;
        Ok(opened.source.unknown().clone())
    }

    /// What became of what is on its way is known only when it has arrived.
    fn settle(&mut self) -> Result<(), ImportError> {
        if let Target::BigQuery(loader) = &mut self.target {
            let loaded = loader.settle()?;
            self.counts += loaded;
        }
        Ok(())
    }

    /// Remembers how many events of a source were left out, since nobody knows whom they are about.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn note_left_out(&mut self, source: &str, events: u64) -> Result<(), ImportError> {
        match &mut self.target {
            Target::Trail(trail) => Ok(trail.note_left_out(source, events)?),
            Target::BigQuery(loader) => Ok(loader.note_left_out(source, events)?),
            Target::DryRun(_) => Ok(()),
        }
    }

    /// The end: what is stored is moved to where it stays.
    ///
    /// # Errors
    /// When the trail cannot be written; its log keeps everything.
    pub fn finish(&mut self) -> Result<(), ImportError> {
        if let Target::Trail(trail) = &mut self.target {
            trail.settle()?;
        }
        Ok(())
    }

    /// What became of everything so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn read(&mut self, opened: &mut Opened, progress: &mut impl FnMut(&Counts, &Opened)) -> Result<(), ImportError> {
        while let Some(item) = opened.source.next()? {
            self.take(item)?;
            if self.waiting.len() >= self.pace.rows() || self.waiting.bytes >= MOST_BYTES {
                self.write()?;
                progress(&self.counts, opened);
            }
        }
        Ok(())
    }

    fn take(&mut self, item: Item) -> Result<(), ImportError> {
        match item {
            Item::Row(event) => {
                let recipient = match self.recipients.find(&event) {
                    Found::Somebody(recipient) => Some(recipient),
                    Found::Nobody => None,
                    Found::Unmatched => {
                        self.counts.read += 1;
                        self.counts.unmatched += 1;
                        return Ok(());
                    }
                    Found::Undecided => return Err(ImportError::Undecided),
                };
                let row = self.protector.import(&event, recipient.as_ref(), self.vouching, now_micros());
                self.waiting.bytes += ROW + event.size();
                self.waiting.rows.push(row);
            }
            Item::Posted(bytes) => {
                self.waiting.bytes += bytes.len();
                self.waiting.posted.push(bytes);
            }
            Item::Unread { bytes, why } => {
                self.waiting.bytes += bytes.len();
                self.waiting.unread.push((bytes, why));
            }
        }
        self.counts.read += 1;
        Ok(())
    }

    /// What waits, in one transaction.
    fn write(&mut self) -> Result<(), ImportError> {
        let waiting = std::mem::take(&mut self.waiting);
        let rows = waiting.len();
        if rows == 0 {
            return Ok(());
        }
        let now = now_micros();
        let mut batches = self.protector.batches(waiting.rows);
        if !waiting.posted.is_empty() {
            // Each is an object whose brackets pair up, so that together they are an array of as many.
            let mut body = b"[".to_vec();
            body.extend_from_slice(&waiting.posted.join(&b','));
            body.push(b']');
            let body = Authentic::of_import(body, now);
            batches.push(self.protector.protect(decode(&body), &body));
        }
        if !waiting.unread.is_empty() {
            let unread = waiting.unread.iter().map(|(bytes, why)| (bytes.as_slice(), *why));
            batches.push(self.protector.seal(unread, now));
        }
        let appended = match &mut self.target {
            Target::Trail(trail) => {
                let records: Vec<Record> = batches.into_iter().map(Record::of).collect();
                let begun = Instant::now();
                let keys = &self.keys;
                let appended = trail.append(&records, &|bytes, why| keys.seal(bytes, why))?;
                let rest = self.pace.took(rows, begun.elapsed());
                trail.checkpoint_if_long()?;
                std::thread::sleep(rest);
                appended
            }
            Target::BigQuery(loader) => {
                let loaded = loader.add(&batches)?;
                self.counts += loaded;
                return Ok(());
            }
            Target::DryRun(reader) => would_append(&batches, reader.as_deref(), &mut self.seen)?,
        };
        self.counts += appended;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
