//! Batches → rows. Idempotent: an event is told by (timestamp, event_key), a sealed item by its key, so a batch may be
//! appended again after any interruption.

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, TransactionBehavior};

use super::error::TrailError;
use super::intern::Interned;
use super::statements::Statements;
use super::trail::Trail;
use super::{forgotten, meta, quarantine};
use crate::protect::{BatchRow, EventRow, SealedRow};
use crate::spool::Record;

/// What became of the items of a transaction. The four add up to the items handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// New events.
    pub stored: u64,
    /// Items that were there already.
    pub duplicate: u64,
    /// New entries in quarantine.
    pub quarantined: u64,
    /// Events of addresses that were forgotten, not stored.
    pub forgotten: u64,
}

impl std::ops::AddAssign for Appended {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.quarantined += other.quarantined;
        self.forgotten += other.forgotten;
    }
}

/// Why an element is sealed that passed every check but cannot be stored.
pub(crate) const UNDRAINABLE: &str = "undrainable";

/// `verified_by` of what a test key signed, and of SendGrid's samples.
const TEST: &str = "test";

/// Tells the messages of one recipient apart in fewer bytes than their ids have.
pub(in crate::store) fn message_digest(message_id: &str) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest(&SHA256, message_id.as_bytes()).as_ref()[..8]);
    i64::from_be_bytes(bytes)
}

/// How errors of single elements are met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// The first one ends the transaction: nearly always there is none.
    Fast,
    /// Each element has a savepoint, and one that fails for its content is sealed.
    Each,
}

/// Takes one batch after the other into a transaction.
pub(crate) type Add<'a> = dyn FnMut(&Record) -> Result<(), TrailError> + 'a;

/// Why a transaction was given up.
struct Failed<E> {
    error: E,
    /// An element cannot be stored for its content.
    content: bool,
}

impl<E: From<TrailError>> From<TrailError> for Failed<E> {
    fn from(error: TrailError) -> Self {
        Self { content: error.is_content(), error: error.into() }
    }
}

impl<E: From<TrailError>> From<rusqlite::Error> for Failed<E> {
    fn from(error: rusqlite::Error) -> Self {
        TrailError::from(error).into()
    }
}

impl Trail {
    /// Appends spooled batches in one transaction, durable when this returns.
    ///
    /// An element that cannot be stored for its content goes sealed to quarantine and costs the others nothing; so does
    /// a record that cannot be decoded. `seal` encrypts what it is given (the [`Record`] of the element alone, see
    /// [`Record::to_sealable`]).
    ///
    /// # Errors
    /// When the trail cannot be written; then nothing was.
    pub fn append(
        &mut self,
        records: &[Record],
        seal: &dyn Fn(&[u8], &str) -> SealedRow<String>,
    ) -> Result<Appended, TrailError> {
        self.append_each(&mut |add| records.iter().try_for_each(&mut *add), seal)
    }

    /// As [`append`](Self::append), of batches that are never in memory all at once: `hand` hands over one after the other, and
    /// all of them from the first one on where it is called again.
    ///
    /// # Errors
    /// Those of `hand`, and when the trail cannot be written; then nothing was.
    pub(crate) fn append_each<E: From<TrailError>>(
        &mut self,
        hand: &mut dyn FnMut(&mut Add<'_>) -> Result<(), E>,
        seal: &dyn Fn(&[u8], &str) -> SealedRow<String>,
    ) -> Result<Appended, E> {
        let result = match self.try_append(hand, seal, Care::Fast) {
            Err(Failed { content: true, .. }) => self.try_append(hand, seal, Care::Each),
            result => result,
        };
        if result.is_err() {
            self.interned.forget();
        }
        result.map_err(|failed| failed.error)
    }

    fn try_append<E: From<TrailError>>(
        &mut self,
        hand: &mut dyn FnMut(&mut Add<'_>) -> Result<(), E>,
        seal: &dyn Fn(&[u8], &str) -> SealedRow<String>,
        care: Care,
    ) -> Result<Appended, Failed<E>> {
        // Dropped without a commit, the transaction is rolled back.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let generation = meta::generation(&transaction)?;
        if care == Care::Each || self.interned.generation != Some(generation) {
            self.interned.begin(&transaction, generation)?;
        }
        self.interned.met_forgotten = false;
        let statements = Statements::prepare(&transaction)?;
        let mut writer = Writer {
            sql: &transaction,
            statements,
            interned: &mut self.interned,
            seal,
            care,
            done: Appended::default(),
        };
        let mut content = false;
        hand(&mut |record| writer.record(record).inspect_err(|error| content = error.is_content()))
            .map_err(|error| Failed { error, content })?;
        let done = writer.done;
        drop(writer);
        if self.interned.met_forgotten {
            forgotten::want_scrub(&transaction)?;
        }
        transaction.commit()?;
        Ok(done)
    }
}

struct Writer<'a> {
    sql: &'a Connection,
    statements: Statements<'a>,
    interned: &'a mut Interned,
    seal: &'a dyn Fn(&[u8], &str) -> SealedRow<String>,
    care: Care,
    done: Appended,
}

impl Writer<'_> {
    fn record(&mut self, record: &Record) -> Result<(), TrailError> {
        let Ok(batch) = record.decode() else {
            return self.seal_away(
                record,
                &BatchRow { received_at: 0, verified_by: None, key_id: "", events: vec![], sealed: vec![] },
            );
        };
        for event in &batch.events {
            self.event(&batch, event)?;
        }
        for item in &batch.sealed {
            self.sealed(&batch, item)?;
        }
        Ok(())
    }

    fn event(&mut self, batch: &BatchRow<&str>, event: &EventRow<&str>) -> Result<(), TrailError> {
        let new = match self.care {
            Care::Fast => insert_event(self.sql, &mut self.statements, self.interned, batch, event)?,
            Care::Each => {
                self.sql.execute_batch("SAVEPOINT element")?;
                match insert_event(self.sql, &mut self.statements, self.interned, batch, event) {
                    Ok(new) => {
                        self.sql.execute_batch("RELEASE element")?;
                        new
                    }
                    Err(error) => {
                        let error = TrailError::from(error);
                        if !error.is_content() {
                            return Err(error);
                        }
                        self.sql.execute_batch("ROLLBACK TO element; RELEASE element")?;
                        // Numbers given since the savepoint are void.
                        let generation = self.interned.generation;
                        self.interned.forget();
                        self.interned.generation = generation;
                        return self.seal_away(&Record::of_one(batch, event), batch);
                    }
                }
            }
        };
        match new {
            Inserted::New => self.done.stored += 1,
            Inserted::Known => self.done.duplicate += 1,
            Inserted::Forgotten => self.done.forgotten += 1,
        }
        Ok(())
    }

    fn sealed(&mut self, batch: &BatchRow<&str>, item: &SealedRow<&str>) -> Result<(), TrailError> {
        if quarantine::insert(self.sql, batch.received_at, batch.verified_by, item)? {
            self.done.quarantined += 1;
        } else {
            self.done.duplicate += 1;
        }
        Ok(())
    }

    fn seal_away(&mut self, record: &Record, from: &BatchRow<&str>) -> Result<(), TrailError> {
        let sealed = (self.seal)(&record.to_sealable(), UNDRAINABLE);
        let item = SealedRow {
            item_key: sealed.item_key,
            why: sealed.why.as_str(),
            seal_key_id: sealed.seal_key_id.as_str(),
            sealed: sealed.sealed,
        };
        self.sealed(from, &item)
    }
}

/// What became of one event.
enum Inserted {
    New,
    Known,
    Forgotten,
}

fn insert_event(
    sql: &Connection,
    statements: &mut Statements<'_>,
    interned: &mut Interned,
    batch: &BatchRow<&str>,
    event: &EventRow<&str>,
) -> rusqlite::Result<Inserted> {
    let Some(message) = interned.message(sql, statements, batch.key_id, event)? else { return Ok(Inserted::Forgotten) };
    let verified_by = if event.sample { Some(TEST) } else { batch.verified_by };
    let proof = interned.proof(sql, verified_by)?;
    let added = statements.add_event.execute(rusqlite::params![
        event.timestamp,
        event.event_key,
        event.fingerprint,
        event.event,
        message.id,
        proof,
        batch.received_at,
        event.sg_event_id,
        event.smtp_id,
        event.reason,
        event.response,
        event.status,
        event.r#type,
        event.bounce_classification,
        event.attempt,
        event.asm_group_id,
        event.url,
        event.useragent,
        event.ip,
        event.sg_machine_open,
        event.tls,
        event.extra,
    ])?;
    if added == 0 {
        return Ok(Inserted::Known);
    }
    let id = sql.last_insert_rowid();
    if let Some(list) = message.category_list {
        statements.add_to_list.execute((
            list,
            event.timestamp,
            event.event,
            id,
            message.address,
            event.message_id.map(message_digest),
            (verified_by == Some(TEST)).then_some(1),
        ))?;
    }
    Ok(Inserted::New)
}

#[cfg(test)]
mod tests;
