//! Batches → rows. Idempotent: an event is told by (timestamp, event_key), a sealed item by its key, so a batch may be
//! appended again after any interruption.

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::TrailError;
use super::intern::Interned;
use super::statements::Statements;
use super::trail::Trail;
use super::{forgotten, meta, quarantine};
use crate::log;
use crate::protect::{BatchRow, EventRow, SealedRow};
use crate::spool::Record;
use crate::store::hex::hex;

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

/// Why an event is sealed that has the id, name and time of a stored event of another recipient.
pub(crate) const ID_COLLISION: &str = "id-collision";

/// Whether a quarantine entry with this reason holds a [`Record`] rather than bytes as they were sent.
pub(crate) fn is_record(why: &str) -> bool {
    matches!(why, UNDRAINABLE | ID_COLLISION)
}

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

/// Takes one batch after the other into a transaction; says whether anything of it was new, or there was nothing in it.
pub(crate) type Add<'a> = dyn FnMut(&Record) -> Result<bool, TrailError> + 'a;

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
        self.append_each(&mut |add| records.iter().try_for_each(|record| add(record).map(drop)), seal)
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
        hand(&mut |record| writer.record_is_new(record).inspect_err(|error| content = error.is_content()))
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
    fn record_is_new(&mut self, record: &Record) -> Result<bool, TrailError> {
        // Events of forgotten people are not stored, so that nothing shows whether they came before.
        let new = |done: &Appended| done.stored + done.quarantined + done.forgotten;
        let before = new(&self.done);
        self.record(record)?;
        Ok(record.items() == 0 || new(&self.done) > before)
    }

    fn record(&mut self, record: &Record) -> Result<(), TrailError> {
        let Ok(batch) = record.decode() else {
            return self.seal_away(
                (self.seal)(&record.to_sealable(), UNDRAINABLE),
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
                        let sealed = (self.seal)(&Record::of_one(batch, event).to_sealable(), UNDRAINABLE);
                        return self.seal_away(sealed, batch);
                    }
                }
            }
        };
        match new {
            Inserted::New => self.done.stored += 1,
            Inserted::Known => self.done.duplicate += 1,
            Inserted::Forgotten => self.done.forgotten += 1,
            Inserted::Collides => {
                log::limited(ID_COLLISION, || {
                    tracing::warn!(
                        "an event has the id, name and time of a stored event of another recipient, so it is kept in the \
                         quarantine ({ID_COLLISION})"
                    );
                });
                let mut sealed = (self.seal)(&Record::of_one(batch, event).to_sealable(), ID_COLLISION);
                // The record holds when it came in: a repetition of the POST is the same item all the same.
                sealed.item_key = event.fingerprint;
                return self.seal_away(sealed, batch);
            }
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

    fn seal_away(&mut self, sealed: SealedRow<String>, from: &BatchRow<&str>) -> Result<(), TrailError> {
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
    /// Not stored: an event of another recipient has its key.
    Collides,
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
        return Ok(if is_of_another(sql, batch, event, message.id)? { Inserted::Collides } else { Inserted::Known });
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

/// Whether the stored event with this key is about another recipient. Hashes under different keys say nothing of that, and neither does
/// an event without an address; the same raw event is the same recipient's, however its hash was made.
fn is_of_another(
    sql: &Connection,
    batch: &BatchRow<&str>,
    event: &EventRow<&str>,
    message: i64,
) -> rusqlite::Result<bool> {
    let Some(address) = &event.address else { return Ok(false) };
    let stored = sql
        .prepare_cached(
            "SELECT e.message, e.fingerprint, a.email_hash, a.key_id
             FROM event AS e JOIN message AS m ON m.id = e.message JOIN address AS a ON a.id = m.address_id
             WHERE e.timestamp = ?1 AND e.event_key = ?2",
        )?
        .query_row((event.timestamp, event.event_key), |row| {
            let other: (String, String) = (row.get(2)?, row.get(3)?);
            Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 16]>(1)?, other))
        })
        .optional()?;
    let Some((stored_message, fingerprint, (hash, key_id))) = stored else { return Ok(false) };
    Ok(stored_message != message
        && fingerprint != event.fingerprint
        && key_id == batch.key_id
        && hash != hex(&address.email_hash))
}

#[cfg(test)]
mod tests;
