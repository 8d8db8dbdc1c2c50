//! Values that repeat get numbers: looked up in bounded caches first, then in their table, and added where new.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroI64;

use aws_lc_rs::digest;
use rusqlite::{Connection, OptionalExtension};

use super::error::TrailError;
use super::forgotten;
use super::statements::Statements;
use crate::protect::{AddressRow, EventRow, ForgottenKey};
use crate::store::hex::hex;

/// Numbers by value. Valid until another writer deletes interned rows, which changes the trail's generation.
pub(super) struct Interned {
    /// Generation the caches belong to.
    pub(super) generation: Option<i64>,
    forgotten_key: Option<ForgottenKey>,
    /// Whether anybody was forgotten, in this generation.
    any_forgotten: bool,
    /// An event of somebody forgotten came by, so that the spool holds traces of them.
    pub(super) met_forgotten: bool,
    messages: Cache<[u8; 16], Message>,
    addresses: Cache<[u8; 32], i64>,
    lists: Cache<String, i64>,
    proofs: Cache<Option<String>, i64>,
}

/// A row of `message`, as an event refers to it. Many are kept, so that an absent number takes no place: none is ever 0.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) address: Option<NonZeroI64>,
    pub(super) category_list: Option<NonZeroI64>,
}

impl Default for Interned {
    fn default() -> Self {
        Self {
            generation: None,
            forgotten_key: None,
            any_forgotten: false,
            met_forgotten: false,
            // As many as two hash tables of 2^17 and of 2^15 places hold. With half as many messages the drain is a tenth slower at
            // five million events.
            messages: Cache::new(229_376),
            addresses: Cache::new(57_344),
            lists: Cache::new(10_000),
            proofs: Cache::new(100),
        }
    }
}

impl Interned {
    /// Forgets everything: after a rollback, too, since numbers given within it are void.
    pub(super) fn forget(&mut self) {
        self.generation = None;
        self.messages.clear();
        self.addresses.clear();
        self.lists.clear();
        self.proofs.clear();
    }

    pub(super) fn know_forgotten(&mut self, key: ForgottenKey) {
        self.forgotten_key = Some(key);
    }

    /// Begins anew in a generation.
    pub(super) fn begin(&mut self, sql: &Connection, generation: i64) -> Result<(), TrailError> {
        self.forget();
        self.any_forgotten = forgotten::any(sql)?;
        if self.any_forgotten && self.forgotten_key.is_none() {
            return Err(TrailError::KeysUnknown);
        }
        self.generation = Some(generation);
        Ok(())
    }

    /// The message that an event belongs to: what all events of one message to one recipient have in common. `None` where
    /// the recipient was forgotten: whoever was is in no cache of this generation.
    pub(super) fn message(
        &mut self,
        sql: &Connection,
        statements: &mut Statements<'_>,
        key_id: &str,
        event: &EventRow<&str>,
    ) -> rusqlite::Result<Option<Message>> {
        let categories = json_list(&event.category);
        let key = message_key(event, &categories);
        if let Some(message) = self.messages.get(&key) {
            return Ok(Some(message));
        }
        if let (true, Some(key), Some(address)) = (self.any_forgotten, &self.forgotten_key, &event.address)
            && forgotten::is_marked(sql, &key.mark(&address.email_hash))?
        {
            self.met_forgotten = true;
            return Ok(None);
        }
        // A message that no cache has is nearly always new, and adding it tells. One without an id meets no conflict in its index.
        let known = match event.message_id {
            Some(_) => None,
            None => find_message(statements, event, key)?,
        };
        let message = match known {
            Some(message) => message,
            None => match self.add_message(sql, statements, key_id, event, key, &categories)? {
                Some(added) => added,
                None => find_message(statements, event, key)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
            },
        };
        self.messages.insert(key, message);
        Ok(Some(message))
    }

    /// `None` where it is there already.
    fn add_message(
        &mut self,
        sql: &Connection,
        statements: &mut Statements<'_>,
        key_id: &str,
        event: &EventRow<&str>,
        key: [u8; 16],
        categories: &str,
    ) -> rusqlite::Result<Option<Message>> {
        let address = event.address.as_ref().map(|row| self.address(sql, statements, row, key_id)).transpose()?;
        let list = match event.category.as_slice() {
            [] => None,
            _ => Some(self.category_list(sql, &event.category, categories)?),
        };
        let custom_args = match (event.custom_args, &self.forgotten_key) {
            (Some(text), Some(key)) if self.any_forgotten => {
                let kept = forgotten::without_mentions(sql, text, key)?;
                self.met_forgotten |= matches!(kept, Cow::Owned(_));
                Some(kept)
            }
            (text, _) => text.map(Cow::Borrowed),
        };
        let added = statements.add_message.execute(rusqlite::params![
            event.message_id,
            key,
            event.sg_message_id,
            address,
            list,
            event.run,
            event.recipient,
            event.request,
            custom_args,
        ])?;
        let [address, category_list] = [address, list].map(|id| id.and_then(NonZeroI64::new));
        Ok((added > 0).then(|| Message { id: sql.last_insert_rowid(), address, category_list }))
    }

    fn address(
        &mut self,
        sql: &Connection,
        statements: &mut Statements<'_>,
        row: &AddressRow<&str>,
        key_id: &str,
    ) -> rusqlite::Result<i64> {
        if let Some(id) = self.addresses.get(&row.email_hash) {
            return Ok(id);
        }
        let hash = hex(&row.email_hash);
        let known = statements.find_address.query_row([&hash], |found| found.get(0)).optional()?;
        let id = match known {
            Some(id) => {
                // Kept from now on where an earlier configuration did not keep them.
                if row.email_domain.is_some() || row.email.is_some() {
                    sql.prepare_cached(
                        "UPDATE address SET email_domain = ifnull(email_domain, ?2), email = ifnull(email, ?3)
                         WHERE id = ?1 AND (email_domain IS NULL AND ?2 IS NOT NULL OR email IS NULL AND ?3 IS NOT NULL)",
                    )?
                    .execute((id, row.email_domain, row.email))?;
                }
                id
            }
            None => {
                statements.add_address.execute((&hash, row.email_domain, row.email, key_id))?;
                sql.last_insert_rowid()
            }
        };
        self.addresses.insert(row.email_hash, id);
        Ok(id)
    }

    /// A whole list, as the JSON text that the column shows, with its members.
    fn category_list(&mut self, sql: &Connection, names: &[&str], json: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.lists.get(json) {
            return Ok(id);
        }
        let known = sql
            .prepare_cached("SELECT id FROM category_list WHERE categories = ?1")?
            .query_row([json], |found| found.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                sql.prepare_cached("INSERT INTO category_list (categories) VALUES (?1)")?.execute([json])?;
                let id = sql.last_insert_rowid();
                for name in names {
                    let category = find_or_add(
                        sql,
                        "SELECT id FROM category WHERE name = ?1",
                        "INSERT INTO category (name) VALUES (?1)",
                        name,
                    )?;
                    // A list may name a category twice.
                    sql.prepare_cached("INSERT OR IGNORE INTO category_member VALUES (?1, ?2)")?
                        .execute((category, id))?;
                }
                id
            }
        };
        self.lists.insert(json.to_owned(), id);
        Ok(id)
    }

    pub(super) fn proof(&mut self, sql: &Connection, verified_by: Option<&str>) -> rusqlite::Result<i64> {
        let key = verified_by.map(str::to_owned);
        if let Some(id) = self.proofs.get(&key) {
            return Ok(id);
        }
        let id = find_or_add(
            sql,
            "SELECT id FROM proof WHERE ifnull(verified_by, '') = ifnull(?1, '')",
            "INSERT INTO proof (verified_by) VALUES (?1)",
            verified_by,
        )?;
        self.proofs.insert(key, id);
        Ok(id)
    }
}

fn find_message(
    statements: &mut Statements<'_>,
    event: &EventRow<&str>,
    key: [u8; 16],
) -> rusqlite::Result<Option<Message>> {
    let message = statements.find_message.query_row((event.message_id, key), |row| {
        Ok(Message { id: row.get(0)?, address: row.get(1)?, category_list: row.get(2)? })
    });
    message.optional()
}

/// Tells messages apart: a digest over everything their row holds, each part with its length.
fn message_key(event: &EventRow<&str>, categories: &str) -> [u8; 16] {
    let mut digest = digest::Context::new(&digest::SHA256);
    digest.update(&[u8::from(event.address.is_some())]);
    digest.update(event.address.as_ref().map_or(&[][..], |address| &address.email_hash));
    let texts = [event.message_id, event.sg_message_id, event.run, event.recipient, event.request, event.custom_args];
    for text in texts.into_iter().chain([Some(categories)]) {
        // One more than the length, so that an absent text is not an empty one.
        let length = text.map_or(0, |text| text.len() as u64 + 1);
        digest.update(&length.to_le_bytes());
        digest.update(text.unwrap_or_default().as_bytes());
    }
    let mut key = [0; 16];
    key.copy_from_slice(&digest.finish().as_ref()[..16]);
    key
}

fn find_or_add(sql: &Connection, find: &str, add: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<i64> {
    match sql.prepare_cached(find)?.query_row([&value], |found| found.get(0)).optional()? {
        Some(id) => Ok(id),
        None => {
            sql.prepare_cached(add)?.execute([&value])?;
            Ok(sql.last_insert_rowid())
        }
    }
}

fn json_list(names: &[&str]) -> String {
    let mut json = String::from("[");
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        sendgrid_events::value::write_string(name, &mut json);
    }
    json.push(']');
    json
}

/// A map that holds about its capacity: when the young half is full, it becomes the old half, whose entries are dropped
/// unless they were asked for meanwhile.
struct Cache<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Clone, V: Copy> Cache<K, V> {
    fn new(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    fn get<Q: Hash + Eq + ToOwned<Owned = K> + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some(value) = self.young.get(key) {
            return Some(*value);
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value);
        Some(value)
    }

    fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_asked_for() {
        let mut cache = Cache::new(10);
        for key in 0..1_000 {
            cache.insert(key, key);
            assert_eq!(cache.get(&0), Some(0), "asked for each time, so kept, at {key}");
            assert!(cache.young.len() + cache.old.len() <= 10);
        }
        assert_eq!(cache.get(&500), None);
        assert_eq!(cache.get(&999), Some(999));
    }
}
