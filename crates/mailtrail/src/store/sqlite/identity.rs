//! Whether the keys are those of this trail.

use rusqlite::{Connection, TransactionBehavior};

use super::error::TrailError;
use super::meta;
use super::trail::Trail;
use crate::store::keys::Identity;

/// Why keys do not fit a trail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Hashes of another kind.
    #[error(
        "this store was begun with `[privacy] hash = \"{stored}\"`, the configuration says \"{configured}\": hashes of both kinds would not match each other. Set it back, or begin a new store (`[store] path`)"
    )]
    HashMode {
        /// As stored.
        stored: String,
        /// As configured.
        configured: String,
    },
    /// Hashes by a key that is not configured.
    #[error(
        "this store's hashes were made by key {stored}, and the configuration has only {configured}. Put the file of key {stored} back as `[privacy] key_file`, or name it in `previous_key_files` if it was replaced on purpose"
    )]
    HashKey {
        /// As stored.
        stored: String,
        /// As configured.
        configured: String,
    },
    /// Another dedupe key.
    #[error(
        "the dedupe key in `[privacy] key_file` is not the one of this store: repeated events would be stored twice. It never changes; restore the key file, or copy its dedupe key into the new one"
    )]
    DedupeKey,
    /// Quarantined input that no configured key opens.
    #[error(
        "quarantined input was sealed by key {stored}, which is not configured: it could never be read again. Put that key file back, in `[privacy] previous_key_files` if it was replaced"
    )]
    SealKey {
        /// As stored.
        stored: String,
    },
}

impl Trail {
    /// Remembers the keys of a new trail; checks them for an old one. A hash key that was replaced openly (the old one is
    /// among the previous ones) is the trail's key from here on.
    ///
    /// # Errors
    /// When the keys do not fit, or the trail cannot be read or written.
    pub fn adopt(&mut self, keys: &Identity) -> Result<(), TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        check(&transaction, keys)?;
        for (name, value) in [
            ("hash_mode", &keys.hash_mode),
            ("key_id", &keys.key_id),
            ("dedupe_check", &keys.dedupe_check),
            ("seal_key_id", &keys.seal_key_id),
        ] {
            if meta::get(&transaction, name)?.as_ref() != Some(value) {
                meta::set(&transaction, name, value)?;
            }
        }
        transaction.commit()?;
        self.interned.know_forgotten(keys.forgotten_key.clone());
        Ok(())
    }

    /// Remembers when the first public key was configured: unverified rows from before count otherwise than later ones.
    ///
    /// # Errors
    /// When the trail cannot be read or written.
    pub fn note_public_key(&mut self, now: i64) -> Result<(), TrailError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if meta::get(&transaction, "first_public_key_at")?.is_none() {
            meta::set(&transaction, "first_public_key_at", &now.to_string())?;
        }
        Ok(transaction.commit()?)
    }
}

pub(super) fn check(sql: &Connection, keys: &Identity) -> Result<(), TrailError> {
    if let Some(stored) = meta::get(sql, "hash_mode")?
        && stored != keys.hash_mode
    {
        return Err(IdentityError::HashMode { stored, configured: keys.hash_mode.clone() }.into());
    }
    if let Some(stored) = meta::get(sql, "key_id")?
        && stored != keys.key_id
        && !keys.previous_key_ids.contains(&stored)
    {
        return Err(IdentityError::HashKey { stored, configured: keys.key_id.clone() }.into());
    }
    if meta::get(sql, "dedupe_check")?.is_some_and(|stored| stored != keys.dedupe_check) {
        return Err(IdentityError::DedupeKey.into());
    }
    let mut statement = sql.prepare("SELECT DISTINCT seal_key_id FROM quarantine")?;
    for stored in statement.query_map((), |row| row.get::<_, String>(0))? {
        let stored = stored?;
        if stored != keys.seal_key_id && !keys.previous_seal_key_ids.contains(&stored) {
            return Err(IdentityError::SealKey { stored }.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::Keys;
    use crate::store::testing::{PlainKeys, batch, encode, plain_seal};

    fn refusal(trail: &mut Trail, keys: &Identity) -> IdentityError {
        match trail.adopt(keys) {
            Err(TrailError::Identity(error)) => error,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn other_keys_are_refused_and_replaced_ones_adopted() {
        let temp = tempfile::tempdir().expect("a folder");
        let mut trail = Trail::open(&temp.path().join("t.db")).expect("opened");
        let first = PlainKeys.identity();
        trail.adopt(&first).expect("new");
        trail.adopt(&first).expect("the same");

        let other_mode = Identity { hash_mode: "sha256".into(), ..first.clone() };
        assert!(matches!(refusal(&mut trail, &other_mode), IdentityError::HashMode { .. }));
        let other_dedupe = Identity { dedupe_check: "other".into(), ..first.clone() };
        assert_eq!(refusal(&mut trail, &other_dedupe), IdentityError::DedupeKey);
        let other_key = Identity { key_id: "key-2".into(), ..first.clone() };
        let error = refusal(&mut trail, &other_key);
        assert!(error.to_string().contains("previous_key_files"), "{error}");

        let replaced = Identity { previous_key_ids: vec!["key-1".into()], ..other_key };
        trail.adopt(&replaced).expect("replaced openly");
        assert!(matches!(refusal(&mut trail, &first), IdentityError::HashKey { .. }), "key-2 is the trail's key now");
    }

    #[test]
    fn a_seal_key_stays_needed_while_the_quarantine_has_entries_by_it() {
        let temp = tempfile::tempdir().expect("a folder");
        let mut trail = Trail::open(&temp.path().join("t.db")).expect("opened");
        let first = PlainKeys.identity();
        trail.adopt(&first).expect("new");
        let other = Identity { seal_key_id: "seal-2".into(), ..first };
        trail.adopt(&other).expect("nothing is sealed yet");
        let mut with_sealed = batch(0..0);
        with_sealed.sealed.push(plain_seal(b"not json", "not_json"));
        trail.append(&[encode(with_sealed)], &plain_seal).expect("stored");
        assert_eq!(refusal(&mut trail, &other), IdentityError::SealKey { stored: "seal-1".into() });
        let both = Identity { previous_seal_key_ids: vec!["seal-1".into()], ..other };
        trail.adopt(&both).expect("opens both");
    }

    #[test]
    fn the_first_public_key_is_remembered_once() {
        let temp = tempfile::tempdir().expect("a folder");
        let mut trail = Trail::open(&temp.path().join("t.db")).expect("opened");
        trail.note_public_key(5).expect("written");
        trail.note_public_key(6).expect("read");
        assert_eq!(meta::get(&trail.connection, "first_public_key_at"), Ok(Some("5".into())));
    }
}
