//! Posts that must not wait any longer because somebody in them is forgotten.

use rusqlite::TransactionBehavior;

use super::{FORMAT, RelayError, RelayFile};
use crate::database;
use crate::protect::SealedPost;
use crate::store::paths::Paths;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Posts that speak of them.
    pub posts: u64,
    /// Posts that no configured key opens.
    pub locked: u64,
}

/// What is to become of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It speaks of nobody who is looked for.
    Stays,
    /// It does.
    Goes,
    /// Nobody can tell.
    Locked,
}

/// Counts the posts that speak of somebody; writes nothing. All zero where nothing was ever passed on.
///
/// # Errors
/// When the file is none of this version or cannot be read.
pub fn count(paths: &Paths, judge: impl FnMut(&SealedPost) -> Verdict) -> Result<Removed, RelayError> {
    if !paths.relay().exists() {
        return Ok(Removed::default());
    }
    let sql = database::open_read_only(&paths.relay(), &FORMAT)?;
    Ok(search(&sql, judge)?.0)
}

/// Removes the posts that speak of somebody, also what is left of them in the file's unused parts. Consumers that did not
/// have them never get them. All zero where nothing was ever passed on.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remove(paths: &Paths, judge: impl FnMut(&SealedPost) -> Verdict) -> Result<Removed, RelayError> {
    if !paths.relay().exists() {
        return Ok(Removed::default());
    }
    let mut file = RelayFile::open(paths)?;
    let (removed, found) = search(&file.sql, judge)?;
    let transaction = file.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in found {
        transaction.prepare_cached("UPDATE consumer SET dropped = dropped + 1 WHERE at < ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM set_aside WHERE post = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM post WHERE id = ?1")?.execute([id])?;
    }
    transaction.commit()?;
    if removed.posts > 0 {
        // What still waits must not reach a temporary file of another folder.
        file.sql.pragma_update(None, "temp_store", "MEMORY")?;
        file.sql.execute_batch("VACUUM")?;
    }
    // A reader that keeps the log keeps sealed bytes alone, and for moments.
    database::empty_log(&file.sql)?;
    Ok(removed)
}

fn search(
    sql: &rusqlite::Connection,
    mut judge: impl FnMut(&SealedPost) -> Verdict,
) -> rusqlite::Result<(Removed, Vec<i64>)> {
    let mut statement = sql.prepare("SELECT id, seal_key_id, sealed FROM post ORDER BY id")?;
    let mut rows = statement.query(())?;
    let (mut removed, mut found) = (Removed::default(), Vec::new());
    while let Some(row) = rows.next()? {
        match judge(&SealedPost { seal_key_id: row.get(1)?, sealed: row.get(2)? }) {
            Verdict::Stays => {}
            Verdict::Goes => {
                removed.posts += 1;
                found.push(row.get(0)?);
            }
            Verdict::Locked => removed.locked += 1,
        }
    }
    Ok((removed, found))
}
