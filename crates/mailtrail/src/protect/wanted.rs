//! Whether bytes that were sealed unread speak of somebody who is to be forgotten.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::address::{EmailHash, on_the_wire, spellings};
use super::key_ring::KeyRing;
use super::redact::{Redactor, addresses_in};

/// The people looked for. Shows nobody: neither `Debug` nor `Display`.
#[derive(Default)]
pub struct Wanted {
    hashes: HashSet<EmailHash>,
    addresses: Vec<Zeroizing<String>>,
}

impl Wanted {
    /// Adds somebody by address, under the current key and the earlier ones.
    pub fn add_address(&mut self, address: &str, keys: &KeyRing) {
        self.hashes.extend(keys.lookup_hashes(address));
        self.addresses.extend(spellings(address).into_iter().map(|spelling| Zeroizing::new(spelling.into_owned())));
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
        self.addresses.iter().map(|address| address.as_str())
    }

    /// The addresses that were given as such, as mail to them is addressed.
    pub(crate) fn mailed_addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses().filter(|address| on_the_wire(address) == *address)
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether text that nobody could read speaks of one of them: an address given as such is found in every form that
    /// redaction knows, somebody given by hash where the text has the plain address.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8], keys: &KeyRing) -> bool {
        let text = Zeroizing::new(without_json_escapes(&String::from_utf8_lossy(bytes)));
        let shaped = addresses_in(&text);
        shaped.iter().any(|address| keys.lookup_hashes(address).iter().any(|hash| self.has(hash)))
            || self.addresses.iter().any(|address| Redactor::new(Some(address)).holds_own(&text))
    }
}

/// Undoes `\u0040` and `\/`, also where the rest is no JSON. A pair of surrogates is no part of an address.
fn without_json_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let escaped = after.strip_prefix('u').and_then(|hex| {
            let character = u32::from_str_radix(hex.get(..4)?, 16).ok().and_then(char::from_u32)?;
            Some((character, hex.get(4..)?))
        });
        let mut characters = after.chars();
        let (character, after) = match (escaped, characters.next()) {
            (Some((character, after)), _) => (Some(character), after),
            (None, Some(other)) if matches!(other, '/' | '"' | '\\') => (Some(other), characters.as_str()),
            // An escape of white space, or none at all: either way it ends a word.
            (None, other) => (other.map(|_| ' '), characters.as_str()),
        };
        plain.extend(character);
        rest = after;
    }
    plain.push_str(rest);
    plain
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
            ("amFuZUBleGFtcGxlLmNvbQ==", false),
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
