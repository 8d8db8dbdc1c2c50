//! Names of bulk sends, and of what is asked of SendGrid within one. They ride along with the mail as custom args, and come
//! back with its events.

use std::fmt;

use aws_lc_rs::rand;

/// Custom arg that carries the run's name.
pub const RUN_ARG: &str = "mailtrail_run";
/// Custom arg that carries the recipient's id.
pub const RECIPIENT_ARG: &str = "mailtrail_recipient";
/// Custom arg that carries the request's id.
pub const REQUEST_ARG: &str = "mailtrail_request";

/// How long a run's name may be, in bytes: it is repeated in every recipient's custom args, of which there may be 10,000 bytes.
const LONGEST: usize = 100;

/// A run's name: one line of visible text that nobody would take for an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunName(String);

/// Why a text is no name of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunNameError {
    /// Nothing there.
    #[error("a run needs a name, such as 2026-11-newsletter")]
    Empty,
    /// Too long.
    #[error("a run's name has at most {LONGEST} bytes: it rides along with every mail")]
    Long,
    /// Characters that cannot be seen, or blanks at an end.
    #[error("a run's name is visible text on one line, without blanks at its ends")]
    Invisible,
    /// Shaped like an address.
    #[error("a run's name has no @: what looks like an address would be taken out of the events")]
    Address,
}

impl RunName {
    /// Takes a name.
    ///
    /// # Errors
    /// When it is empty, too long, not visible or shaped like an address.
    pub fn new(name: &str) -> Result<Self, RunNameError> {
        if name.is_empty() {
            return Err(RunNameError::Empty);
        }
        if name.len() > LONGEST {
            return Err(RunNameError::Long);
        }
        if name.trim() != name || name.chars().any(char::is_control) {
            return Err(RunNameError::Invisible);
        }
        if name.contains(['@', '＠']) {
            return Err(RunNameError::Address);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for RunName {
    type Err = RunNameError;

    fn from_str(name: &str) -> Result<Self, RunNameError> {
        Self::new(name)
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a name becomes as one segment of a URL's path, before percent encoding. A segment that is `.` or `..` would change the path,
/// escaped or not, and an empty one may be dropped: those get a mark in front, and so do names that begin with the mark. The sender
/// of an event chooses its run's name, so that any text may come.
#[must_use]
pub fn path_segment(name: &str) -> std::borrow::Cow<'_, str> {
    let needs_mark = matches!(name, "" | "." | "..") || name.starts_with(SEGMENT_MARK);
    if needs_mark { format!("{SEGMENT_MARK}{name}").into() } else { name.into() }
}

/// The reverse of [`path_segment`].
#[must_use]
pub fn of_path_segment(segment: &str) -> &str {
    segment.strip_prefix(SEGMENT_MARK).unwrap_or(segment)
}

/// Stands before names that a path could not carry.
const SEGMENT_MARK: char = '~';

/// 128 random bits, as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Random([u8; 16]);

impl Random {
    fn new() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The system has no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Random);

        impl $name {
            /// A new one.
            ///
            /// # Errors
            /// When the system has no random numbers.
            pub fn random() -> Result<Self, NoRandomness> {
                Random::new().map(Self)
            }

            /// Reads what [`Display`](fmt::Display) wrote: 32 lower-case hex digits.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Random::parse(text).map(Self)
            }

            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0.0
            }

            /// From [`as_bytes`](Self::as_bytes).
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Random(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// One mail to one recipient, in one attempt.
    RecipientId
}
id! {
    /// One call of SendGrid's mail API.
    RequestId
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_visible_short_and_no_addresses() {
        assert_eq!(RunName::new("11月のお知らせ").map(|name| name.to_string()), Ok("11月のお知らせ".to_owned()));
        assert_eq!(RunName::new(""), Err(RunNameError::Empty));
        assert_eq!(RunName::new(&"x".repeat(101)), Err(RunNameError::Long));
        assert_eq!(RunName::new(" x"), Err(RunNameError::Invisible));
        assert_eq!(RunName::new("a\nb"), Err(RunNameError::Invisible));
        assert_eq!(RunName::new("jane@example.com"), Err(RunNameError::Address));
    }

    proptest! {
        /// Whatever a run is called, a URL carries the name and names nothing else.
        #[test]
        fn a_path_carries_every_name(name in "(\\.|~|%2e|%2E|/|\\?|#|[a-z冬]){0,6}") {
            let mut url = reqwest::Url::parse("https://m.example/runs").expect("a URL");
            url.path_segments_mut().expect("a base").push(&path_segment(&name));
            let segments: Vec<&str> = url.path_segments().expect("a base").collect();
            prop_assert_eq!(segments.len(), 2, "{}", url);
            let mut decoded = Vec::new();
            let mut bytes = segments[1].bytes();
            while let Some(byte) = bytes.next() {
                decoded.push(match byte {
                    b'%' => {
                        let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                        u8::from_str_radix(&digits, 16).expect("two digits")
                    }
                    byte => byte,
                });
            }
            let segment = String::from_utf8(decoded).expect("UTF-8");
            prop_assert_eq!(of_path_segment(&segment), name);
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = RecipientId::random().expect("random");
        assert_eq!(RecipientId::parse(&id.to_string()), Some(id));
        assert_eq!(RecipientId::from_bytes(*id.as_bytes()), id);
        assert_eq!(RecipientId::parse("+0000000000000000000000000000000"), None);
        assert_eq!(RecipientId::parse("00"), None);
    }
}
