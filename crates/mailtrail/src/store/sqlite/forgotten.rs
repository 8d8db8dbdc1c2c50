//! Who was forgotten, and whether the spool was cleaned of them since. `serve` alone writes the spool, so whoever forgets
//! asks for that by a number in `meta`, and `serve` answers by another.

use std::borrow::Cow;
use std::convert::Infallible;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::error::TrailError;
use super::meta;
use super::trail::Trail;
use crate::protect::{EmailHash, ForgottenKey, Wanted};

const WANTED: &str = "spool_scrub_wanted";
const DONE: &str = "spool_scrub_done";

/// What `protect` puts for an address that is the whole value of a custom arg, with its hash behind.
pub(super) const MENTION: &str = "[email:";
/// What stands there when that hash is to be gone.
const REPLACEMENT: &str = "[address]";

pub(super) fn any(sql: &Connection) -> rusqlite::Result<bool> {
    sql.prepare_cached("SELECT EXISTS (SELECT 1 FROM forgotten)")?.query_row((), |row| row.get(0))
}

pub(super) fn is_marked(sql: &Connection, mark: &[u8; 16]) -> rusqlite::Result<bool> {
    let mut find = sql.prepare_cached("SELECT 1 FROM forgotten WHERE mark = ?1")?;
    Ok(find.query_row([mark], |_| Ok(())).optional()?.is_some())
}

/// Custom args without the hashes of people who were forgotten.
pub(super) fn without_mentions<'t>(
    sql: &Connection,
    text: &'t str,
    key: &ForgottenKey,
) -> rusqlite::Result<Cow<'t, str>> {
    replace_mentions(text, |hash| is_marked(sql, &key.mark(hash.as_bytes())))
}

/// Custom args without people who are forgotten: without their hashes, and without what redaction, which did not know their addresses, left.
pub(crate) fn without_people<'t>(text: &'t str, who: &Wanted) -> Cow<'t, str> {
    match replace_mentions(text, |hash| Ok::<_, Infallible>(who.has(hash))) {
        Ok(Cow::Borrowed(text)) => who.removed_from(text),
        Ok(Cow::Owned(text)) => Cow::Owned(who.removed_from(&text).into_owned()),
        Err(never) => match never {},
    }
}

/// Replaces each mention whose hash `is_theirs`.
fn replace_mentions<'t, E>(
    text: &'t str,
    mut is_theirs: impl FnMut(&EmailHash) -> Result<bool, E>,
) -> Result<Cow<'t, str>, E> {
    let mut kept = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(MENTION)) {
        let begin = at + found;
        at = begin + MENTION.len();
        let Some(hash) = text.get(at..at + 64).and_then(EmailHash::parse) else { continue };
        if text.as_bytes().get(at + 64) == Some(&b']') && is_theirs(&hash)? {
            kept.push_str(&text[from..begin]);
            kept.push_str(REPLACEMENT);
            at += 65;
            from = at;
        }
    }
    if from == 0 {
        return Ok(Cow::Borrowed(text));
    }
    kept.push_str(&text[from..]);
    Ok(Cow::Owned(kept))
}

/// Asks for the spool to be cleaned; says under which number.
pub(super) fn want_scrub(sql: &Connection) -> rusqlite::Result<i64> {
    let number = number(sql, WANTED)? + 1;
    meta::set(sql, WANTED, &number.to_string())?;
    Ok(number)
}

fn number(sql: &Connection, name: &str) -> rusqlite::Result<i64> {
    Ok(meta::get(sql, name)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

impl Trail {
    /// Marks people as forgotten, so that from here on none of their events is stored, and asks for the spool to be cleaned;
    /// says under which number.
    pub(crate) fn mark_forgotten<'h>(
        &mut self,
        hashes: impl Iterator<Item = &'h EmailHash>,
        key: &ForgottenKey,
    ) -> Result<i64, TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for hash in hashes {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO forgotten (mark) VALUES (?1)")?
                .execute([key.mark(hash.as_bytes())])?;
        }
        meta::bump_generation(&transaction)?;
        let number = want_scrub(&transaction)?;
        transaction.commit()?;
        Ok(number)
    }

    /// Stores events of these people again from here on; says how many had been forgotten.
    pub(crate) fn lift_forgotten<'h>(
        &mut self,
        hashes: impl Iterator<Item = &'h EmailHash>,
        key: &ForgottenKey,
    ) -> Result<usize, TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut lifted = 0;
        for hash in hashes {
            lifted += transaction
                .prepare_cached("DELETE FROM forgotten WHERE mark = ?1")?
                .execute([key.mark(hash.as_bytes())])?;
        }
        meta::bump_generation(&transaction)?;
        transaction.commit()?;
        Ok(lifted)
    }

    /// The number of the newest wish to have the spool cleaned, where it was not done since.
    pub(crate) fn scrub_wanted(&self) -> Result<Option<i64>, TrailError> {
        let wanted = number(&self.connection, WANTED)?;
        Ok((wanted > number(&self.connection, DONE)?).then_some(wanted))
    }

    /// Whether the spool was cleaned since the wish of this number.
    pub(crate) fn is_scrubbed(&self, wish: i64) -> Result<bool, TrailError> {
        Ok(number(&self.connection, DONE)? >= wish)
    }

    /// The spool was cleaned of everything up to this wish.
    pub(crate) fn note_scrubbed(&mut self, wish: i64) -> Result<(), TrailError> {
        Ok(meta::set(&self.connection, DONE, &wish.to_string())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_of_theirs_go_and_others_stay() {
        let (hers, his) = ("ab".repeat(32), "cd".repeat(32));
        let is_hers = |hash: &EmailHash| Ok::<_, ()>(hash.to_string() == hers);
        let text = format!("{{\"a\":\"[email:{hers}]\",\"b\":\"[email:{his}]\",\"c\":\"[email:{hers}]\"}}");
        let expected = format!("{{\"a\":\"[address]\",\"b\":\"[email:{his}]\",\"c\":\"[address]\"}}");
        assert_eq!(replace_mentions(&text, is_hers).unwrap(), expected);
        for text in ["", "[email:", "{\"a\":\"[email:x]\"}", &format!("[email:{his}]"), &format!("[email:{hers}")] {
            assert!(matches!(replace_mentions(text, is_hers), Ok(Cow::Borrowed(kept)) if kept == text), "{text}");
        }
    }
}
