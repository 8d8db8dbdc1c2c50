//! An address that nothing prints, and what is taken for one.

use super::characters::{is_full_width, is_invisible, trim};
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
    /// `Name <address>`.
    #[error("a name stands beside the address (Name <address>): write the address alone")]
    Name,
    /// A zero-width character, a soft hyphen or a mark of direction inside.
    #[error("an invisible character in it (U+{:04X}): type the address anew", u32::from(*.0))]
    Invisible(char),
    /// A full-width character where ASCII should stand.
    #[error("the full-width character {0} in it: write it half-width")]
    FullWidth(char),
    /// Nothing before the `@`.
    #[error("nothing stands before the @")]
    Local,
    /// Letters beyond ASCII before the `@`.
    #[error(
        "letters beyond ASCII before the @, which SendGrid refuses by default: [sendgrid] utf8_addresses = true sends \
         such addresses"
    )]
    Utf8Local,
    /// No domain behind the `@`.
    #[error("what stands behind the @ is no domain")]
    Domain,
}

/// Whether an address may have letters beyond ASCII before the `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalParts {
    /// As SendGrid takes them by default.
    #[default]
    Ascii,
    /// As RFC 6531 allows them.
    Utf8,
}

impl LocalParts {
    /// By `[sendgrid] utf8_addresses`.
    #[must_use]
    pub fn utf8_if(allowed: bool) -> Self {
        if allowed { Self::Utf8 } else { Self::Ascii }
    }
}

impl Address {
    /// Takes an address by its form; blanks and invisible characters around it do not count.
    ///
    /// # Errors
    /// When SendGrid would not take it.
    pub fn parse(text: &str, local_parts: LocalParts) -> Result<Self, AddressFault> {
        let text = trim(text);
        judge(text, local_parts).map(|()| Self(text.to_owned()))
    }

    /// The text to search events by, which may have addresses that nobody can mail; without what surrounds it.
    ///
    /// # Errors
    /// When the text is not an address but another way of writing one, so that no event could have it.
    pub fn searchable(text: &str) -> Result<&str, AddressFault> {
        use AddressFault::{Empty, FullWidth, Invisible, Name};
        let text = trim(text);
        match judge(text, LocalParts::Utf8) {
            Err(fault @ (Empty | Name | Invisible(_) | FullWidth(_))) => Err(fault),
            Ok(()) | Err(_) => Ok(text),
        }
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
fn judge(text: &str, local_parts: LocalParts) -> Result<(), AddressFault> {
    if text.is_empty() {
        return Err(AddressFault::Empty);
    }
    if let Some(c) = text.chars().find(|c| is_invisible(*c)) {
        return Err(AddressFault::Invisible(c));
    }
    if let Some(c) = text.chars().find(|c| is_full_width(*c)) {
        return Err(AddressFault::FullWidth(c));
    }
    if text.ends_with('>') && text.split_once('<').is_some_and(|(_, address)| address.contains('@')) {
        return Err(AddressFault::Name);
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
    if local.is_empty() {
        return Err(AddressFault::Local);
    }
    if local_parts == LocalParts::Ascii && !local.is_ascii() {
        return Err(AddressFault::Utf8Local);
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
            ("Jane <jane@example.com>", Some(AddressFault::Name)),
            ("<jane@example.com>", Some(AddressFault::Name)),
            ("NULL", Some(AddressFault::At)),
            ("\u{feff}jane@example.com\u{200b}\u{3000}", None),
            ("jane@exam\u{200b}ple.com", Some(AddressFault::Invisible('\u{200b}'))),
            ("ｊane@example.com", Some(AddressFault::FullWidth('ｊ'))),
            ("jane@ｅxample.com", Some(AddressFault::FullWidth('ｅ'))),
            ("jane@example。com", Some(AddressFault::FullWidth('。'))),
            ("a,b@example.com", Some(AddressFault::Character)),
            ("@example.com", Some(AddressFault::Local)),
            ("jané@example.com", Some(AddressFault::Utf8Local)),
            ("jane@localhost", Some(AddressFault::Domain)),
            ("jane@example..com", Some(AddressFault::Domain)),
            ("jane@-example.com", Some(AddressFault::Domain)),
            ("jane@exam_ple.com", Some(AddressFault::Domain)),
            ("jane＠example.com", Some(AddressFault::FullWidth('＠'))),
            (&long, Some(AddressFault::Long)),
            (&format!("a..{}@example.com", "x".repeat(59)), None),
            (&format!("a..{}@example.com", "x".repeat(60)), Some(AddressFault::Long)),
            (&format!("\"{}\"@example.com", "x".repeat(64)), None),
            (&long_domain, None),
        ];
        for (text, fault) in cases {
            assert_eq!(Address::parse(text, LocalParts::Ascii).err(), fault, "{text:?}");
        }
        assert_eq!(
            Address::parse(" Jane@EXAMPLE.com", LocalParts::Ascii).map(|a| a.normalised()),
            Ok("jane@example.com".to_owned())
        );
    }

    #[test]
    fn letters_beyond_ascii_are_taken_where_the_account_may_send_to_them() {
        for text in ["jané@example.com", "用户@例え.jp", "Müller.Ö@example.com"] {
            assert_eq!(Address::parse(text, LocalParts::Ascii).err(), Some(AddressFault::Utf8Local));
            assert!(Address::parse(text, LocalParts::Utf8).is_ok_and(|address| address.expose() == text));
        }
        assert!(AddressFault::Utf8Local.to_string().contains("[sendgrid] utf8_addresses"));
        // SMTP's limit is bytes.
        let long = format!("{}@example.com", "é".repeat(33));
        assert_eq!(Address::parse(&long, LocalParts::Utf8).err(), Some(AddressFault::Long));
    }
}
