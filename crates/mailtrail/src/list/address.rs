//! An address that nothing prints, and what is taken for one.

use crate::protect::{normalise, on_the_wire};

/// An address of a recipient, as it stood in the list without blanks around it. Neither `Debug`, `Display` nor `Serialize`:
/// whoever shows it has to say so.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

/// What SMTP allows for a whole address, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const LONGEST: usize = 254;
/// What SMTP allows before the `@` (RFC 5321 §4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;
/// What DNS allows between two dots.
const LONGEST_LABEL: usize = 63;

/// Why a text is no address that SendGrid takes. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFault {
    /// Nothing there.
    #[error("no address")]
    Empty,
    /// Too long.
    #[error("longer than {LONGEST} bytes, or than {LONGEST_LOCAL} before the @")]
    Long,
    /// Not one `@`.
    #[error("an address has exactly one @")]
    At,
    /// Blanks or control characters inside, or what only a header may hold.
    #[error("a blank, a control character or one of ( ) < > [ ] , ; : \\ \" in it")]
    Character,
    /// Nothing before the `@`, or letters beyond ASCII there.
    #[error("before the @ SendGrid takes only unaccented letters, digits and punctuation")]
    Local,
    /// No domain behind the `@`.
    #[error("what stands behind the @ is no domain")]
    Domain,
}

impl Address {
    /// Takes an address by its form; blanks around it do not count.
    ///
    /// # Errors
    /// When SendGrid would not take it.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let text = text.trim();
        judge(text).map(|()| Self(text.to_owned()))
    }

    /// One that was judged before.
    pub(super) fn known(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The address, for the request that mails it and for the file that gives it back to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// As it is compared and hashed.
    #[must_use]
    pub fn normalised(&self) -> String {
        normalise(&self.0)
    }
}

/// Judges a text without blanks around it.
pub(super) fn judge(text: &str) -> Result<(), AddressFault> {
    if text.is_empty() {
        return Err(AddressFault::Empty);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(AddressFault::Character);
    }
    let (local, domain) = text.split_once('@').ok_or(AddressFault::At)?;
    if domain.contains('@') {
        return Err(AddressFault::At);
    }
    // With the quotes that it is sent with, and without needless ones.
    let wire = on_the_wire(text);
    if wire.len() > LONGEST || wire.len() - domain.len() - 1 > LONGEST_LOCAL {
        return Err(AddressFault::Long);
    }
    if local.is_empty() || !local.is_ascii() {
        return Err(AddressFault::Local);
    }
    // Carrier addresses may be given in quotes.
    let bare = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(local);
    if bare.is_empty() || bare.contains(['(', ')', '<', '>', '[', ']', ',', ';', ':', '\\', '"']) {
        return Err(AddressFault::Character);
    }
    let labels = || domain.split('.');
    if labels().count() < 2 || !labels().all(is_label) {
        return Err(AddressFault::Domain);
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= LONGEST_LABEL
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c == '-' || if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address_and_what_is_not() {
        let long = format!("{}@example.com", "x".repeat(65));
        let long_domain = format!("x@{}.com", vec!["a".repeat(60); 4].join("."));
        let cases = [
            ("jane@example.com", None),
            (" Jane+tag@EXAMPLE.co.jp ", None),
            ("da.me..@docomo.ne.jp", None),
            ("\"a..b\"@docomo.ne.jp", None),
            ("o'hara@例え.jp", None),
            ("", Some(AddressFault::Empty)),
            ("jane", Some(AddressFault::At)),
            ("jane@a@example.com", Some(AddressFault::At)),
            ("ja ne@example.com", Some(AddressFault::Character)),
            ("jane@example.com\u{7f}x", Some(AddressFault::Character)),
            ("Jane<jane@example.com>", Some(AddressFault::Character)),
            ("a,b@example.com", Some(AddressFault::Character)),
            ("@example.com", Some(AddressFault::Local)),
            ("jané@example.com", Some(AddressFault::Local)),
            ("jane@localhost", Some(AddressFault::Domain)),
            ("jane@example..com", Some(AddressFault::Domain)),
            ("jane@-example.com", Some(AddressFault::Domain)),
            ("jane@exam_ple.com", Some(AddressFault::Domain)),
            ("jane＠example.com", Some(AddressFault::At)),
            (&long, Some(AddressFault::Long)),
            (&format!("a..{}@example.com", "x".repeat(59)), None),
            (&format!("a..{}@example.com", "x".repeat(60)), Some(AddressFault::Long)),
            (&format!("\"{}\"@example.com", "x".repeat(64)), None),
            (&long_domain, None),
        ];
        for (text, fault) in cases {
            assert_eq!(Address::parse(text).err(), fault, "{text:?}");
        }
        assert_eq!(Address::parse(" Jane@EXAMPLE.com").map(|a| a.normalised()), Ok("jane@example.com".to_owned()));
    }
}
