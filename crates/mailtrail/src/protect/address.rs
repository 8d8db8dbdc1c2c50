//! Addresses: the one normalisation, the spellings of one mailbox, and the hash that stands for one.
//!
//! A *carrier address* has a local part with a leading, trailing or doubled dot (`a..b@`, `.a@`, `a.@`), as docomo and au issued
//! them. RFC 5321 §4.1.2 has no dot-string for it, so SMTP and SendGrid need it quoted (`"a..b"@`), while people write it both ways.
//! Both spellings are one mailbox, and the unquoted one is hashed.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// Trimmed, Unicode lower-cased, a carrier address without its quotes; nothing else is provider-specific. SQL's
/// `LOWER(TRIM(email))` gives the same for other ASCII addresses.
#[must_use]
pub fn normalise(address: &str) -> String {
    let lower = lower(address);
    match Mailbox::parse(&lower) {
        Some(mailbox) if mailbox.quoted && mailbox.is_carrier() => mailbox.unquoted(),
        _ => lower,
    }
}

/// Trimmed and Unicode lower-cased, quotes kept.
pub(super) fn lower(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The spellings of an address's mailbox, in the letter case given: first without quotes, then in quotes if the address is a carrier
/// address or was given in quotes. The address alone (trimmed) if its local part cannot be written without quotes.
#[must_use]
pub fn spellings(address: &str) -> Vec<Cow<'_, str>> {
    let address = address.trim();
    match Mailbox::parse(address) {
        Some(mailbox) if mailbox.quoted => vec![Cow::Owned(mailbox.unquoted()), Cow::Borrowed(address)],
        Some(mailbox) if mailbox.is_carrier() => vec![Cow::Borrowed(address), Cow::Owned(mailbox.in_quotes())],
        _ => vec![Cow::Borrowed(address)],
    }
}

/// The address as SMTP carries it: the local part is quoted only if RFC 5321 requires it.
#[must_use]
pub fn on_the_wire(address: &str) -> Cow<'_, str> {
    let address = address.trim();
    match Mailbox::parse(address) {
        Some(mailbox) if mailbox.is_carrier() && !mailbox.quoted => Cow::Owned(mailbox.in_quotes()),
        Some(mailbox) if !mailbox.is_carrier() && mailbox.quoted => Cow::Owned(mailbox.unquoted()),
        _ => Cow::Borrowed(address),
    }
}

/// An address whose local part consists of the characters of an atom and dots, in quotes or not.
struct Mailbox<'a> {
    /// Without quotes.
    local: &'a str,
    domain: &'a str,
    quoted: bool,
}

impl<'a> Mailbox<'a> {
    fn parse(address: &'a str) -> Option<Self> {
        let (written, domain) = address.rsplit_once('@')?;
        let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let local = inner.unwrap_or(written);
        let is_plain = !local.is_empty() && local.chars().all(|c| c == '.' || is_atom(c));
        is_plain.then_some(Self { local, domain, quoted: inner.is_some() })
    }

    /// Whether an atom between the dots is empty.
    fn is_carrier(&self) -> bool {
        self.local.split('.').any(str::is_empty)
    }

    fn unquoted(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    fn in_quotes(&self) -> String {
        format!("\"{}\"@{}", self.local, self.domain)
    }
}

/// Characters of an atom: `atext` of RFC 5321, and letters beyond ASCII (RFC 6531).
fn is_atom(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"()<>[]:;@\\,.\"".contains(c)
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normalised_is_trimmed_and_lower_case() {
        assert_eq!(
            normalise("\"Jane\"@Example.com"),
            "\"jane\"@example.com",
            "hashed by its quoted form in every version"
        );
        assert_eq!(normalise("  Jane.Doe+x@EXAMPLE.com\n"), "jane.doe+x@example.com");
        assert_eq!(normalise("ÄÖ@Ünı.example"), "äö@ünı.example");
        assert_eq!(domain(" a@b@Example.COM "), Some("example.com".to_owned()));
        assert_eq!(domain("invalid"), None);
        assert_eq!(domain("a@"), None);
    }

    // SendGrid's Japanese support, article 360000019762; exment#800.
    #[test]
    fn both_spellings_of_a_carrier_address_are_one_mailbox() {
        for local in ["Da..me", ".Dame", "Dame.", "d...", "."] {
            let (unquoted, quoted) = (format!(" {local}@Docomo.ne.jp"), format!("\"{local}\"@Docomo.ne.jp "));
            assert_eq!(normalise(&quoted), unquoted.trim().to_lowercase());
            for spelling in [&unquoted, &quoted] {
                assert_eq!(normalise(spelling), normalise(&unquoted), "{spelling}");
                assert_eq!(spellings(spelling), [unquoted.trim(), quoted.trim()], "{spelling}");
                assert_eq!(on_the_wire(spelling), quoted.trim(), "{spelling}");
            }
        }
    }

    #[test]
    fn other_quoted_addresses_keep_their_hash_and_needless_quotes_are_not_sent() {
        for (address, wire) in [("\"Jane\"@x.example", "Jane@x.example"), ("\"a.b\"@x.example", "a.b@x.example")] {
            assert_eq!(normalise(address), address.to_lowercase());
            assert_eq!(spellings(address), [wire, address]);
            assert_eq!(on_the_wire(address), wire);
        }
        for address in
            ["\"a b..\"@x.example", "\"a\\..b\"@x.example", "\"\"@x.example", "\"..@x.example", "a..b", "@", ""]
        {
            assert_eq!(normalise(address), address.to_lowercase());
            assert_eq!(spellings(address), [address]);
            assert_eq!(on_the_wire(address), address);
        }
    }

    proptest! {
        #[test]
        fn a_local_part_that_conforms_to_rfc_5321_is_never_quoted(
            local in "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,8}){0,4}",
            domain in "[a-z]{1,8}\\.(example|jp)",
        ) {
            let address = format!("{local}@{domain}");
            prop_assert_eq!(on_the_wire(&address), address.as_str());
            prop_assert_eq!(spellings(&address), [address.as_str()]);
            prop_assert_eq!(normalise(&address), address.to_lowercase());
        }

        #[test]
        fn every_spelling_is_sent_alike_and_the_first_is_hashed(local in "[a-z.]{1,8}", quoted in any::<bool>()) {
            let address = if quoted { format!("\"{local}\"@x.example") } else { format!("{local}@x.example") };
            for spelling in spellings(&address) {
                prop_assert_eq!(on_the_wire(&spelling), on_the_wire(&address));
                prop_assert_eq!(&spellings(&spelling)[0], &spellings(&address)[0]);
            }
            let sent = on_the_wire(&address);
            prop_assert_eq!(normalise(&sent), spellings(&address)[0].to_lowercase());
        }
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
