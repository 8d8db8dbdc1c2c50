//! Who an event is about, in a source whose hashes may be another system's.

use std::collections::HashMap;
use std::sync::Arc;

use crate::list::List;
use crate::protect::{EmailHash, KeyRing, Recipient, StoredEvent};

/// What made a source's hashes, where its rows do not say so themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// A key of ours.
    Same,
    /// SHA-256 of the normalised address, without a key.
    Sha256,
    /// Something that is not known: hashes are left out, and with them who it was.
    None,
}

/// Finds people.
pub struct Recipients {
    keys: Arc<KeyRing>,
    hashes: Option<Hashes>,
    rehash: Option<Rehash>,
}

/// Whom an event is about.
pub(super) enum Found<'a> {
    /// Nobody in particular.
    Nobody,
    Somebody(Recipient<'a>),
    /// Somebody whom no key and no list knows.
    Unmatched,
    /// Nobody has said what made the hash.
    Undecided,
}

impl Recipients {
    /// With our keys, what made hashes that say nothing of it, and a list that tells old ones.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, hashes: Option<Hashes>, rehash: Option<Rehash>) -> Self {
        Self { keys, hashes, rehash }
    }

    pub(super) fn find<'a>(&'a self, event: &'a StoredEvent) -> Found<'a> {
        let keys = &self.keys;
        let told = event.email_hash.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let ours = event.key_id.as_deref().filter(|id| keys.knows(id));
        let parsed = told.and_then(EmailHash::parse);
        let somebody =
            |hash, key_id: &str, address| Found::Somebody(Recipient { hash, key_id: key_id.to_owned(), address });
        let address = event.email.as_deref().map(String::as_str).filter(|text| !text.trim().is_empty());
        if let Some(address) = address {
            return match (ours, parsed) {
                (Some(id), Some(hash)) if keys.hashes(address).contains(&hash) => somebody(hash, id, Some(address)),
                _ => somebody(keys.email_hash(address), keys.key_id(), Some(address)),
            };
        }
        let Some(told) = told else { return Found::Nobody };
        if let (Some(id), Some(hash)) = (ours, parsed) {
            return somebody(hash, id, None);
        }
        if let Some(address) = self.rehash.as_ref().and_then(|rehash| rehash.address(told)) {
            return somebody(keys.email_hash(address), keys.key_id(), Some(address));
        }
        let unkeyed = keys.hash_mode() == "sha256";
        match (self.hashes, parsed) {
            (Some(Hashes::None), _) => Found::Nobody,
            // A row that names a key which is not ours is not made by ours, whatever is said of the whole.
            (Some(Hashes::Same), Some(hash)) if event.key_id.is_none() => somebody(hash, keys.key_id(), None),
            (Some(Hashes::Sha256), Some(hash)) if unkeyed => somebody(hash, keys.key_id(), None),
            (None, _) if event.key_id.is_none() && self.rehash.is_none() => Found::Undecided,
            _ => Found::Unmatched,
        }
    }
}

/// Old hashes by a list of addresses.
pub struct Rehash {
    list: List,
    rows: HashMap<String, usize>,
}

impl Rehash {
    /// `column`: where the list has the old hash of each address, by its index. Without one, old hashes are taken to be SHA-256
    /// of the address, normalised or as the list writes it.
    #[must_use]
    pub fn new(list: List, column: Option<usize>) -> Self {
        let mut rows = HashMap::new();
        for row in list.rows() {
            let address = row.address();
            let old = match column {
                Some(column) => vec![row.cell(column).trim().to_ascii_lowercase()],
                None => [address.normalised().as_str(), address.expose()]
                    .map(|text| EmailHash::unkeyed(text).to_string())
                    .to_vec(),
            };
            for old in old.into_iter().filter(|old| !old.is_empty()) {
                rows.entry(old).or_insert(row.index());
            }
        }
        Self { list, rows }
    }

    fn address(&self, old: &str) -> Option<&str> {
        let row = self.rows.get(&old.to_ascii_lowercase())?;
        Some(self.list.row(*row)?.cell(self.list.email_column()))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::config::HashMode;
    use crate::list::ListOptions;
    use crate::protect::KeyFile;

    fn keys(mode: HashMode) -> Arc<KeyRing> {
        Arc::new(KeyRing::new(mode, &KeyFile::generate().unwrap()))
    }

    fn event(hash: &str, key_id: Option<&str>, email: Option<&str>) -> StoredEvent {
        StoredEvent {
            email_hash: Some(hash.to_owned()),
            key_id: key_id.map(str::to_owned),
            email: email.map(|email| Zeroizing::new(email.to_owned())),
            ..StoredEvent::default()
        }
    }

    /// The hash, or what else came of it.
    fn found(recipients: &Recipients, event: &StoredEvent) -> String {
        match recipients.find(event) {
            Found::Nobody => "nobody".to_owned(),
            Found::Somebody(recipient) => recipient.hash.to_string(),
            Found::Unmatched => "unmatched".to_owned(),
            Found::Undecided => "undecided".to_owned(),
        }
    }

    #[test]
    fn a_hash_is_ours_only_where_somebody_says_so() {
        let (keyed, plain) = (keys(HashMode::HmacSha256), keys(HashMode::Sha256));
        let hash = keyed.email_hash("jane@example.com").to_string();
        let of = |keys: &Arc<KeyRing>, hashes| Recipients::new(Arc::clone(keys), hashes, None);
        let (own, other, none) =
            (event(&hash, Some(keyed.key_id()), None), event(&hash, Some("other"), None), event(&hash, None, None));
        for (hashes, for_own, for_other, for_none) in [
            (None, hash.as_str(), "unmatched", "undecided"),
            (Some(Hashes::Same), &hash, "unmatched", &hash),
            (Some(Hashes::Sha256), &hash, "unmatched", "unmatched"),
            (Some(Hashes::None), &hash, "nobody", "nobody"),
        ] {
            let recipients = of(&keyed, hashes);
            assert_eq!(
                [&own, &other, &none].map(|event| found(&recipients, event)),
                [for_own, for_other, for_none],
                "{hashes:?}"
            );
        }
        assert_eq!(found(&of(&plain, Some(Hashes::Sha256)), &none), hash);
        assert_eq!(found(&of(&keyed, Some(Hashes::Same)), &event("12", None, None)), "unmatched");
        assert_eq!(found(&of(&keyed, None), &event(" ", None, None)), "nobody");
        // An address outweighs what stands beside it, unless the two agree.
        let forged = event(&hash, Some(keyed.key_id()), Some("joe@example.com"));
        assert_eq!(found(&of(&keyed, None), &forged), keyed.email_hash("joe@example.com").to_string());
        assert_eq!(found(&of(&keyed, None), &event(&hash, Some(keyed.key_id()), Some(" Jane@example.com"))), hash);
    }

    #[test]
    fn a_list_tells_old_hashes() {
        let keys = keys(HashMode::HmacSha256);
        let text = "email,Old Hash\nJane@Example.com,AbC\njoe@example.com,\n";
        let list = || List::read(text.as_bytes(), &ListOptions::default()).unwrap();
        let of = |column, hashes| Recipients::new(Arc::clone(&keys), hashes, Some(Rehash::new(list(), column)));
        let jane = keys.email_hash("jane@example.com").to_string();
        assert_eq!(found(&of(Some(1), None), &event("aBc", None, None)), jane);
        assert_eq!(found(&of(Some(1), None), &event("x", None, None)), "unmatched");
        assert_eq!(found(&of(Some(1), Some(Hashes::None)), &event("x", None, None)), "nobody");
        for spelling in ["jane@example.com", "Jane@Example.com"] {
            let old = EmailHash::unkeyed(spelling).to_string().to_uppercase();
            assert_eq!(found(&of(None, Some(Hashes::Sha256)), &event(&old, Some("other"), None)), jane);
        }
    }
}
