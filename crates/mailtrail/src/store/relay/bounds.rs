//! What waits is bounded in age and size: beyond that the oldest goes, counted.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::{RelayError, RelayFile};

/// Posts deleted in one transaction: nobody waits long for it.
const AT_ONCE: i64 = 500;

/// How long a post may wait for a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Whose.
    pub consumer: String,
    /// How long.
    pub max_age: Duration,
}

/// Posts that a consumer will never get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Whose.
    pub consumer: String,
    /// How many.
    pub posts: u64,
}

impl RelayFile {
    /// Drops what is too old for each consumer, and the oldest of all while there is more than `max_bytes`; deletes what
    /// nobody waits for. `now`: µs since the epoch. Says whose posts went undelivered.
    ///
    /// # Errors
    /// When the file cannot be written; what was done stays done.
    pub fn bound(&mut self, bounds: &[Bound], max_bytes: u64, now: i64) -> Result<Vec<Dropped>, RelayError> {
        // First what all have: it takes room from nobody.
        self.delete_done()?;
        let mut dropped = Vec::new();
        for Bound { consumer, max_age } in bounds {
            let age = crate::clock::micros(*max_age);
            let posts = self.drop_older(consumer, now.saturating_sub(age))?;
            add(&mut dropped, consumer, posts);
        }
        if let Some(last) = self.beyond(max_bytes)? {
            for Bound { consumer, .. } in bounds {
                let posts = self.drop_through(consumer, last)?;
                add(&mut dropped, consumer, posts);
            }
        }
        self.delete_done()?;
        Ok(dropped)
    }

    /// A consumer gets none of the posts from before `cutoff`.
    fn drop_older(&mut self, consumer: &str, cutoff: i64) -> Result<u64, RelayError> {
        let mut last = None;
        {
            // Ids follow the times: what is read is what goes, and one more.
            let waiting = "SELECT id, received_at FROM post
                           WHERE id > (SELECT at FROM consumer WHERE name = ?1) ORDER BY id";
            let mut statement = self.sql.prepare_cached(waiting)?;
            let mut rows = statement.query([consumer])?;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(1)? >= cutoff {
                    break;
                }
                last = Some(row.get(0)?);
            }
        }
        self.sql
            .prepare_cached(
                "DELETE FROM set_aside WHERE consumer = ?1
                 AND EXISTS (SELECT 1 FROM post WHERE id = set_aside.post AND received_at < ?2)",
            )?
            .execute((consumer, cutoff))?;
        last.map_or(Ok(0), |last| self.drop_through(consumer, last))
    }

    /// The last of the oldest posts that must go so that the rest has room.
    fn beyond(&self, max_bytes: u64) -> Result<Option<i64>, RelayError> {
        let (_, held) = self.held()?;
        let mut excess = held.saturating_sub(max_bytes);
        let mut statement = self.sql.prepare_cached("SELECT id, length(sealed) FROM post ORDER BY id")?;
        let mut rows = statement.query(())?;
        let mut last = None;
        while excess > 0 {
            let Some(row) = rows.next()? else { break };
            last = Some(row.get(0)?);
            excess = excess.saturating_sub(row.get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(last)
    }

    /// A consumer gets none of the posts up to `last`; says how many it did not have. Those it refused were told of before.
    fn drop_through(&mut self, consumer: &str, last: i64) -> Result<u64, RelayError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let count = "SELECT count(*) FROM post
                     WHERE id <= ?2 AND id > (SELECT at FROM consumer WHERE name = ?1)";
        let posts: i64 = transaction.prepare_cached(count)?.query_row((consumer, last), |row| row.get(0))?;
        transaction
            .prepare_cached("UPDATE consumer SET at = max(at, ?2), dropped = dropped + ?3 WHERE name = ?1")?
            .execute((consumer, last, posts))?;
        transaction
            .prepare_cached("DELETE FROM set_aside WHERE consumer = ?1 AND post <= ?2")?
            .execute((consumer, last))?;
        transaction.commit()?;
        Ok(posts.unsigned_abs())
    }

    /// Deletes what no consumer waits for.
    fn delete_done(&mut self) -> Result<(), RelayError> {
        loop {
            let deleted = delete_some(&self.sql)?;
            self.checkpoint();
            if deleted < usize::try_from(AT_ONCE).unwrap_or(0) {
                return Ok(());
            }
        }
    }
}

fn delete_some(sql: &Connection) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM post WHERE id IN (
                      SELECT id FROM post
                      WHERE id <= ifnull((SELECT min(at) FROM consumer), 9223372036854775807)
                        AND id NOT IN (SELECT post FROM set_aside)
                      ORDER BY id LIMIT ?1)";
    sql.prepare_cached(delete)?.execute([AT_ONCE])
}

fn add(dropped: &mut Vec<Dropped>, consumer: &str, posts: u64) {
    if posts == 0 {
        return;
    }
    match dropped.iter_mut().find(|known| known.consumer == consumer) {
        Some(known) => known.posts += posts,
        None => dropped.push(Dropped { consumer: consumer.to_owned(), posts }),
    }
}
