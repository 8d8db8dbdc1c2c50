//! Deletes rows of the trail in short transactions, beside whoever appends.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::error::TrailError;
use super::meta;
use super::trail::Trail;

/// One transaction takes about this long at most, so that the drain waits no longer; it also ends at so many rows.
const TURN: (Duration, u64) = (Duration::from_millis(100), 20_000);

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

impl std::ops::AddAssign for Deleted {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.messages += other.messages;
        self.addresses += other.addresses;
        self.mentions += other.mentions;
        self.quarantined += other.quarantined;
    }
}

impl Trail {
    /// Repeats `step` within one transaction until its turn is over; `true` when the step said that all is done.
    pub(super) fn in_turns(
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
}

/// Whether there is more to do.
pub(super) enum Step {
    More,
    Done,
}

impl Deleted {
    fn rows(&self) -> u64 {
        self.events + self.messages + self.addresses + self.mentions
    }
}

pub(super) fn delete(sql: &Connection, statement: &str, id: i64) -> rusqlite::Result<u64> {
    Ok(sql.prepare_cached(statement)?.execute([id])? as u64)
}

/// Events with their rows under categories.
pub(super) fn delete_events(sql: &Connection, which: &str, id: i64) -> rusqlite::Result<u64> {
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
pub(super) fn delete_unused(sql: &Connection, message: i64, deleted: &mut Deleted) -> rusqlite::Result<()> {
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
