//! Addresses: the one normalisation, and the hash that stands for one.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// Trimmed, Unicode lower-cased, nothing provider-specific. SQL's `LOWER(TRIM(email))` says the same for ASCII addresses.
#[must_use]
pub fn normalise(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The part behind the last `@`, lower case; `None` where there is none.
pub(super) fn domain(address: &str) -> Option<String> {
    let (_, domain) = address.trim().rsplit_once('@')?;
    (!domain.is_empty()).then(|| domain.to_lowercase())
}

/// What stands for an address: 32 bytes, 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailHash([u8; 32]);

impl EmailHash {
    /// Reads 64 hex digits, in either case.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.trim().as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(bytes))
    }

    /// SHA-256 of a text without any key, as it is: whoever means an address normalises it.
    #[must_use]
    pub fn unkeyed(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }

    /// From [`as_bytes`](Self::as_bytes).
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for EmailHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EmailHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_is_trimmed_and_lower_case() {
        assert_eq!(normalise("  Jane.Doe+x@EXAMPLE.com\n"), "jane.doe+x@example.com");
        assert_eq!(normalise("ÄÖ@Ünı.example"), "äö@ünı.example");
        assert_eq!(domain(" a@b@Example.COM "), Some("example.com".to_owned()));
        assert_eq!(domain("invalid"), None);
        assert_eq!(domain("a@"), None);
    }

    #[test]
    fn a_hash_reads_back() {
        let hash = EmailHash([0xab; 32]);
        assert_eq!(EmailHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(EmailHash::parse(&hash.to_string().to_uppercase()), Some(hash));
        assert_eq!(EmailHash::parse("ab"), None);
        assert_eq!(EmailHash::parse(&"g".repeat(64)), None);
    }
}
