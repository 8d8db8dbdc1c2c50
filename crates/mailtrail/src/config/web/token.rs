//! Programs that may ask the API: what is kept of their tokens.

use std::fmt;

use aws_lc_rs::{constant_time, digest};

use super::person::{Role, entry};

/// What a token begins with, so that one that leaked is recognised for what it is.
pub const PREFIX: &str = "mailtrail_";

/// `name:role:hash`, the hash being the SHA-256 of the token in hex.
///
/// A fast hash is right here: a token is 256 random bits, so that nobody finds one by trying, and each request has one.
#[derive(Clone)]
pub struct Token {
    /// Whose it is, for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    hash: [u8; 32],
}

impl Token {
    /// What the configuration takes of a token. Its text is kept nowhere.
    #[must_use]
    pub fn of(text: &str, name: &str, role: Role) -> Self {
        Self { name: name.to_owned(), role, hash: digest_of(text) }
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Says what is wrong, quoting nothing.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, role, rest) = entry(text)?;
        let rest = rest.unwrap_or_default();
        if rest.starts_with(PREFIX) {
            return Err(
                "its third part is a token itself: `mailtrail web token` makes one with its hash, which goes here",
            );
        }
        let hash = hex(rest).ok_or("its third part is no hash of 64 hex digits: `mailtrail web token` makes one")?;
        Ok(Self { name, role, hash })
    }

    /// The entry for the configuration.
    #[must_use]
    pub fn entry(&self) -> String {
        let hash: String = self.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{}:{hash}", self.name, self.role.as_str())
    }

    /// Which of them a text is. Takes as long for each of them, and for none.
    #[must_use]
    pub fn find<'t>(text: &str, tokens: &'t [Self]) -> Option<&'t Self> {
        let hash = digest_of(text);
        let mut found = None;
        for token in tokens {
            if constant_time::verify_slices_are_equal(&token.hash, &hash).is_ok() {
                found = Some(token);
            }
        }
        found
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

fn digest_of(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    bytes
}

fn hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "mailtrail_0Cq5YYqWTfg5RjA3TkWVxgtpXLQmUX9VGYMxqRqvwRU";

    #[test]
    fn a_token_is_recognised_by_its_entry_alone() {
        let token = Token::of(TEXT, "ci", Role::Viewer);
        let entry = token.entry();
        assert!(!entry.contains("0Cq5") && !format!("{token:?}").contains(&entry[10..]));
        let read = Token::parse(&entry).expect("an entry");
        let tokens = [Token::parse(&format!("x:operator:{}", "0".repeat(64))).expect("an entry"), read];
        let found = Token::find(TEXT, &tokens).expect("known");
        assert_eq!((found.name.as_str(), found.role), ("ci", Role::Viewer));
        for wrong in ["", PREFIX, &TEXT[..TEXT.len() - 1], &format!("{TEXT} "), &entry, &entry[10..]] {
            assert!(Token::find(wrong, &tokens).is_none(), "{wrong}");
        }
    }

    #[test]
    fn entries_are_told_apart_without_a_quote() {
        let itself = format!("ci:viewer:{TEXT}");
        for wrong in
            ["ci", "ci:viewer", "ci:admin:00", "ci:viewer:00", &format!("ci:viewer:{}", "é".repeat(32)), &itself]
        {
            let why = Token::parse(wrong).expect_err(wrong);
            assert!(!why.contains("0Cq5"));
        }
        assert!(Token::parse(&itself).expect_err("no hash").contains("a token itself"));
    }
}
