//! Whether bytes that were sealed unread speak of somebody who is to be forgotten.

use std::borrow::Cow;
use std::collections::HashSet;

use sendgrid_events::batch;

use super::address::{EmailHash, on_the_wire, spellings};
use super::key_ring::KeyRing;
use super::redact::{People, Person};
use super::values;

/// The people looked for. Shows nobody: neither `Debug` nor `Display`.
#[derive(Default)]
pub struct Wanted {
    hashes: HashSet<EmailHash>,
    people: Vec<Person>,
}

impl Wanted {
    /// Adds somebody by address, under the current key and the earlier ones.
    pub fn add_address(&mut self, address: &str, keys: &KeyRing) {
        self.hashes.extend(keys.lookup_hashes(address));
        self.people.extend(spellings(address).iter().map(|spelling| Person::new(spelling)));
    }

    /// Adds somebody by hash.
    pub fn add_hash(&mut self, hash: EmailHash) {
        self.hashes.insert(hash);
    }

    /// Whether this hash is one of theirs.
    #[must_use]
    pub fn has(&self, email_hash: &EmailHash) -> bool {
        self.hashes.contains(email_hash)
    }

    /// All their hashes.
    pub fn hashes(&self) -> impl Iterator<Item = &EmailHash> {
        self.hashes.iter()
    }

    /// The addresses that were given as such, in all spellings.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(Person::address)
    }

    /// The addresses that were given as such, as mail to them is addressed.
    pub(crate) fn mailed_addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses().filter(|address| on_the_wire(address) == *address)
    }

    /// Whether anybody was given by address.
    #[must_use]
    pub fn has_addresses(&self) -> bool {
        !self.people.is_empty()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether text that nobody could read speaks of one of them: an address given as such is found in every form that
    /// redaction knows, somebody given by hash where the text has the address, plain or in any encoding.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8], keys: &KeyRing) -> bool {
        People::new(&self.people, |address| keys.lookup_hashes(address).iter().any(|hash| self.has(hash))).are_in(bytes)
    }

    /// Custom args of somebody else without these people: without their hashes, which `protect` wrote, and without the addresses that were
    /// given as such in every form that redaction knows, digests above all.
    #[must_use]
    pub fn removed_from<'t>(&self, custom_args: &'t str) -> Cow<'t, str> {
        let people = People::new(&self.people, |_| false);
        if self.people.is_empty() || !people.are_in(custom_args.as_bytes()) {
            return Cow::Borrowed(custom_args);
        }
        // Texts are changed one by one, because an escape must not be cut.
        match batch::object(custom_args.as_bytes()) {
            Ok(members) => Cow::Owned(values::cleaned(&members, &people)),
            Err(_) => people.removed(custom_args),
        }
    }

    /// Digests as hex of the addresses that were given as such.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &str> {
        self.people.iter().flat_map(Person::digests).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HashMode;
    use crate::protect::KeyFile;

    #[test]
    fn both_spellings_of_a_carrier_address_are_looked_for_and_mailed_as_one() {
        let keys = KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap());
        for given in [" a..b@docomo.example", "\"a..b\"@docomo.example"] {
            let mut who = Wanted::default();
            who.add_address(given, &keys);
            assert_eq!(who.hashes().count(), 2, "as this version and as earlier ones stored them");
            assert_eq!(who.mailed_addresses().collect::<Vec<_>>(), ["\"a..b\"@docomo.example"]);
            for text in ["a..b@docomo.example", r#"\"A..b\"@docomo.example"#, "YS4uYkBkb2NvbW8uZXhhbXBsZQ=="] {
                assert!(who.is_in(text.as_bytes(), &keys), "{text}");
            }
        }
    }

    #[test]
    fn what_others_wrote_of_somebody_is_removed_from_their_custom_args() {
        let keys = KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap());
        let mut who = Wanted::default();
        who.add_address("Jane+x@Example.com", &keys);
        // SHA-1 of jane@example.com, SHA-256 of jane+x@example.com and its MD5 are digests of one person.
        for digest in who.digests().map(str::to_owned).collect::<Vec<_>>() {
            let text = format!("{{\"by\":\"https://g.example/{digest}\",\"n\":12,\"{digest}\":[\"x\\\\\"]}}");
            let expected = "{\"by\":\"https://g.example/[address]\",\"n\":12,\"[address]\":[\"x\\\\\"]}";
            assert_eq!(who.removed_from(&text), expected);
            assert_eq!(who.removed_from(&text.replace(&digest, &digest.to_uppercase())), expected);
        }
        assert!(who.digests().count() >= 6, "with the tag and without it");
        for text in ["{\"by\":\"jane\"}", "{\"by\":\"55502f40dc8b7c769880b10874abc9d0\"}", "no JSON"] {
            assert!(matches!(who.removed_from(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn people_are_found_in_bytes_that_are_no_json() {
        let keys = KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap());
        let (mut by_address, mut by_hash) = (Wanted::default(), Wanted::default());
        by_address.add_address(" Jane@Example.com", &keys);
        by_hash.add_hash(keys.email_hash("jane@example.com"));
        for (text, found_by_hash) in [
            ("[{\"email\":\"jane@example.com\",", true),
            ("{\"email\":\"JANE\\u0040example.com\"", true),
            ("…\\njane@example.com\\n…", true),
            ("https://x.example/?to=jane%40example.com", true),
            ("bounce+jane=example.com@mx.example", false),
            ("amFuZUBleGFtcGxlLmNvbQ==", true),
        ] {
            assert!(by_address.is_in(text.as_bytes(), &keys), "{text}");
            assert_eq!(by_hash.is_in(text.as_bytes(), &keys), found_by_hash, "{text}");
        }
        for text in ["", "mary.jane@example.com", "jane@example.com.au", "\\u00", "\\", "jane", "\\ud83d\\ude00"] {
            assert!(!by_address.is_in(text.as_bytes(), &keys), "{text}");
            assert!(!by_hash.is_in(text.as_bytes(), &keys), "{text}");
        }
    }
}
