//! Deletes people, and events that nothing vouches for, from the trail: in short transactions, beside whoever appends.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::error::TrailError;
use super::trail::Trail;
use super::{forgotten, meta};
use crate::database;
use crate::protect::{EmailHash, Wanted};

/// One transaction takes about this long at most, so that the drain waits no longer; it also ends at so many rows.
const TURN: (Duration, u64) = (Duration::from_millis(100), 20_000);
/// Rows looked through in one read: a longer one would hold the log back.
const PAGE: i64 = 50_000;

/// Which rows no proof stands behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// No signature held: since the first public key was configured, what has `basic` or nothing; in a store that never had a
    /// key, what has nothing.
    Unverified,
    /// What a test key signed, and SendGrid's samples.
    Test,
}

/// What was deleted from the trail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Events.
    pub events: u64,
    /// What the events of one message have in common.
    pub messages: u64,
    /// Addresses: hash, domain, and the plain address where it was kept.
    pub addresses: u64,
    /// Custom args of other people's messages that named one of them by hash; the messages stay.
    pub mentions: u64,
    /// Entries of the quarantine.
    pub quarantined: u64,
}

impl Trail {
    /// From here on, what this connection deletes is overwritten.
    pub(crate) fn overwrite_deleted(&self) -> Result<(), TrailError> {
        self.connection.pragma_update_and_check(None, "secure_delete", true, |row| row.get::<_, i64>(0))?;
        // Pages must not reach a temporary file.
        Ok(self.connection.pragma_update(None, "temp_store", "MEMORY")?)
    }

    /// What deleting these people would delete; deletes nothing.
    pub(crate) fn count_people(&self, who: &Wanted) -> Result<Deleted, TrailError> {
        let mut found = Deleted::default();
        for hash in who.hashes() {
            let Some(address) = address_id(&self.connection, hash)? else { continue };
            found.addresses += 1;
            let counts =
                "SELECT count(DISTINCT m.id), count(e.id) FROM message AS m LEFT JOIN event AS e ON e.message = m.id
                          WHERE m.address_id = ?1";
            let (messages, events) = self.connection.prepare_cached(counts)?.query_row([address], |row| {
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
            })?;
            found.messages += messages;
            found.events += events;
        }
        self.each_mention(who, |_, _| {
            found.mentions += 1;
            Ok(())
        })?;
        Ok(found)
    }

    /// Deletes all that is kept of these people.
    pub(crate) fn delete_people(&mut self, who: &Wanted) -> Result<Deleted, TrailError> {
        let mut deleted = Deleted::default();
        for hash in who.hashes() {
            let Some(address) = address_id(&self.connection, hash)? else { continue };
            loop {
                let done = self.in_turns(&mut deleted, |sql, deleted| {
                    let next = "SELECT id FROM message WHERE address_id = ?1 LIMIT 1";
                    let next = sql.prepare_cached(next)?.query_row([address], |row| row.get(0)).optional()?;
                    let Some(message) = next else { return Ok(Step::Done) };
                    deleted.events += delete_events(sql, "WHERE e.message = ?1", message)?;
                    deleted.messages += delete(sql, "DELETE FROM message WHERE id = ?1", message)?;
                    Ok(Step::More)
                })?;
                if done {
                    break;
                }
            }
            self.in_turns(&mut deleted, |sql, deleted| {
                deleted.addresses += delete(sql, "DELETE FROM address WHERE id = ?1", address)?;
                Ok(Step::Done)
            })?;
        }
        let mut mentions = Vec::new();
        self.each_mention(who, |message, text| {
            mentions.push((message, text));
            Ok(())
        })?;
        let mut mentions = mentions.into_iter();
        while !self.in_turns(&mut deleted, |sql, deleted| {
            let Some((message, text)) = mentions.next() else { return Ok(Step::Done) };
            // Its key stays that of the text as it came, so that later events still find it.
            sql.prepare_cached("UPDATE message SET custom_args = ?2 WHERE id = ?1")?.execute((message, text))?;
            deleted.mentions += 1;
            Ok(Step::More)
        })? {}
        Ok(deleted)
    }

    /// How many events no proof stands behind, of all or of so many newest ones.
    pub(crate) fn count_unproven(&self, which: Unproven, newest: Option<u32>) -> Result<u64, TrailError> {
        let (proofs, since) = proofs(&self.connection, which)?;
        let mut total = 0;
        for proof in proofs {
            let count = "SELECT count(*) FROM event WHERE id > (SELECT ifnull(max(id), 0) FROM event) - ?3
                         AND proof_id = ?1 AND received_at >= ?2";
            let newest = newest.map_or(i64::MAX, i64::from);
            total +=
                self.connection.query_row(count, (proof, since, newest), |row| row.get::<_, i64>(0))?.unsigned_abs();
        }
        Ok(total)
    }

    /// Deletes the events that no proof stands behind, and what is left of nothing then.
    pub(crate) fn delete_unproven(&mut self, which: Unproven) -> Result<Deleted, TrailError> {
        let mut deleted = Deleted::default();
        let (proofs, since) = proofs(&self.connection, which)?;
        let last: i64 = self.connection.query_row("SELECT ifnull(max(id), 0) FROM event", (), |row| row.get(0))?;
        for proof in proofs {
            let mut after = 0;
            while after < last {
                let upto = after + PAGE;
                let page =
                    "SELECT id, message FROM event WHERE id > ?1 AND id <= ?2 AND proof_id = ?3 AND received_at >= ?4";
                let found: Vec<(i64, i64)> = self
                    .connection
                    .prepare_cached(page)?
                    .query_map((after, upto, proof, since), |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<rusqlite::Result<_>>()?;
                let mut found = found.into_iter();
                while !self.in_turns(&mut deleted, |sql, deleted| {
                    let Some((event, message)) = found.next() else { return Ok(Step::Done) };
                    deleted.events += delete_events(sql, "WHERE e.id = ?1", event)?;
                    delete_unused(sql, message, deleted)?;
                    Ok(Step::More)
                })? {}
                after = upto;
            }
        }
        Ok(deleted)
    }

    /// Messages of others whose custom args name one of these people by hash, and what those become.
    fn each_mention(
        &self,
        who: &Wanted,
        mut tell: impl FnMut(i64, String) -> Result<(), TrailError>,
    ) -> Result<(), TrailError> {
        let last: i64 = self.connection.query_row("SELECT ifnull(max(id), 0) FROM message", (), |row| row.get(0))?;
        let mut after = 0;
        while after < last {
            let upto = after + PAGE;
            let page = "SELECT id, custom_args FROM message WHERE id > ?1 AND id <= ?2 AND instr(custom_args, ?3) > 0";
            let mut page = self.connection.prepare_cached(page)?;
            let mut rows = page.query((after, upto, forgotten::MENTION))?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(1)?;
                let kept = forgotten::replace_mentions(&text, |hash| Ok::<_, TrailError>(who.has(hash)))?;
                if let std::borrow::Cow::Owned(kept) = kept {
                    tell(row.get(0)?, kept)?;
                }
            }
            after = upto;
        }
        Ok(())
    }

    /// Repeats `step` within one transaction until its turn is over; `true` when the step said that all is done.
    fn in_turns(
        &mut self,
        deleted: &mut Deleted,
        mut step: impl FnMut(&Connection, &mut Deleted) -> rusqlite::Result<Step>,
    ) -> Result<bool, TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (began, mut now) = (Instant::now(), *deleted);
        let before = now.rows();
        let mut done = false;
        while !done && began.elapsed() < TURN.0 && now.rows() - before < TURN.1 {
            done = matches!(step(&transaction, &mut now)?, Step::Done);
        }
        // The drain must not refer to what is gone.
        meta::bump_generation(&transaction)?;
        transaction.commit()?;
        *deleted = now;
        self.checkpoint_if_long()?;
        Ok(done)
    }

    /// Builds anew what may hold copies of deleted rows in the unused parts of its pages: the index over hashes alone, or
    /// the whole file.
    pub(crate) fn rebuild(&mut self, whole: bool) -> Result<(), TrailError> {
        Ok(self.connection.execute_batch(if whole { "VACUUM" } else { "REINDEX address" })?)
    }

    /// Empties the log; `false` where a long reader keeps it.
    pub(crate) fn empty_log(&self) -> Result<bool, TrailError> {
        Ok(database::empty_log(&self.connection)?)
    }

    /// Whether a plain address was ever kept.
    pub(crate) fn keeps_addresses(&self) -> Result<bool, TrailError> {
        let any = "SELECT EXISTS (SELECT 1 FROM address WHERE email IS NOT NULL)";
        Ok(self.connection.query_row(any, (), |row| row.get(0))?)
    }
}

enum Step {
    More,
    Done,
}

impl Deleted {
    fn rows(&self) -> u64 {
        self.events + self.messages + self.addresses + self.mentions
    }
}

fn address_id(sql: &Connection, hash: &EmailHash) -> rusqlite::Result<Option<i64>> {
    let mut find = sql.prepare_cached("SELECT id FROM address WHERE email_hash = ?1")?;
    find.query_row([hash.to_string()], |row| row.get(0)).optional()
}

fn delete(sql: &Connection, statement: &str, id: i64) -> rusqlite::Result<u64> {
    Ok(sql.prepare_cached(statement)?.execute([id])? as u64)
}

/// Events with their rows under categories.
fn delete_events(sql: &Connection, which: &str, id: i64) -> rusqlite::Result<u64> {
    let find = format!(
        "SELECT e.id, e.timestamp, e.event, m.category_list_id FROM event AS e JOIN message AS m ON m.id = e.message {which}"
    );
    let found: Vec<(i64, i64, String, Option<i64>)> = sql
        .prepare_cached(&find)?
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut deleted = 0;
    for (event, timestamp, name, list) in found {
        if let Some(list) = list {
            sql.prepare_cached(
                "DELETE FROM event_category_list
                 WHERE category_list_id = ?1 AND timestamp = ?2 AND event = ?3 AND event_id = ?4",
            )?
            .execute((list, timestamp, name, event))?;
        }
        deleted += delete(sql, "DELETE FROM event WHERE id = ?1", event)?;
    }
    Ok(deleted)
}

/// A message without events, and its address where that has no other.
fn delete_unused(sql: &Connection, message: i64, deleted: &mut Deleted) -> rusqlite::Result<()> {
    let used = "SELECT address_id FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE message = ?1)";
    let unused = sql.prepare_cached(used)?.query_row([message], |row| row.get::<_, Option<i64>>(0)).optional()?;
    let Some(address) = unused else { return Ok(()) };
    deleted.messages += delete(sql, "DELETE FROM message WHERE id = ?1", message)?;
    if let Some(address) = address {
        let alone = "DELETE FROM address WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE address_id = ?1)";
        deleted.addresses += delete(sql, alone, address)?;
    }
    Ok(())
}

/// Which proofs, and from which time of receipt on.
fn proofs(sql: &Connection, which: Unproven) -> rusqlite::Result<(Vec<i64>, i64)> {
    let first_key = meta::get(sql, "first_public_key_at")?.and_then(|text| text.parse::<i64>().ok());
    let (condition, since) = match (which, first_key) {
        (Unproven::Test, _) => ("verified_by = 'test'", i64::MIN),
        (Unproven::Unverified, Some(since)) => ("verified_by IS NULL OR verified_by = 'basic'", since),
        (Unproven::Unverified, None) => ("verified_by IS NULL", i64::MIN),
    };
    let mut find = sql.prepare(&format!("SELECT id FROM proof WHERE {condition}"))?;
    let found = find.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok((found, since))
}

#[cfg(test)]
mod tests;
