//! Deletes people from the trail.

use rusqlite::{Connection, OptionalExtension as _};

use super::delete::{Deleted, Step, delete, delete_events};
use super::error::TrailError;
use super::forgotten;
use super::trail::Trail;
use crate::database;
use crate::protect::{EmailHash, Wanted};

/// Rows looked through in one read: a longer one would hold the log back.
const PAGE: i64 = 50_000;

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

    /// Messages of others whose custom args name one of these people, and what those become. An address may stand there in any form,
    /// above all as a digest, so that all of them are read; a hash only behind its mark.
    fn each_mention(
        &self,
        who: &Wanted,
        mut tell: impl FnMut(i64, String) -> Result<(), TrailError>,
    ) -> Result<(), TrailError> {
        let last: i64 = self.connection.query_row("SELECT ifnull(max(id), 0) FROM message", (), |row| row.get(0))?;
        let mut after = 0;
        while after < last {
            let upto = after + PAGE;
            let page = "SELECT id, custom_args FROM message WHERE id > ?1 AND id <= ?2
                        AND custom_args IS NOT NULL AND (?4 OR instr(custom_args, ?3) > 0)";
            let mut page = self.connection.prepare_cached(page)?;
            let mut rows = page.query((after, upto, forgotten::MENTION, who.has_addresses()))?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(1)?;
                if let std::borrow::Cow::Owned(kept) = forgotten::without_people(&text, who) {
                    tell(row.get(0)?, kept)?;
                }
            }
            after = upto;
        }
        Ok(())
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

fn address_id(sql: &Connection, hash: &EmailHash) -> rusqlite::Result<Option<i64>> {
    let mut find = sql.prepare_cached("SELECT id FROM address WHERE email_hash = ?1")?;
    find.query_row([hash.to_string()], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests;
