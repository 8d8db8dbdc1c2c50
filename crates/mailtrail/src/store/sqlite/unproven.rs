//! Deletes events that nothing vouches for from the trail.

use rusqlite::Connection;

use super::delete::{Deleted, Step, delete_events, delete_unused};
use super::error::TrailError;
use super::meta;
use super::trail::Trail;

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

impl Trail {
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
