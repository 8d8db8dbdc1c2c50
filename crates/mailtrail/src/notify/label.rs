//! Texts of others in a notice: names of runs and categories, codes, domains, what mail servers wrote.

use std::fmt;

use crate::protect::without_addresses;

/// Longest label, in characters.
const LONGEST: usize = 200;

/// One line of somebody else's text without anything shaped like an address, without characters that cannot be seen, and not
/// long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

impl Label {
    /// Takes any text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let clean = without_addresses(text);
        let mut label = String::new();
        let mut length = 0;
        let mut blank = false;
        for character in clean.chars() {
            if character.is_whitespace() || is_invisible(character) {
                blank = length > 0;
                continue;
            }
            let needed = if blank { 2 } else { 1 };
            if length + needed >= LONGEST {
                label.push('…');
                break;
            }
            if blank {
                label.push(' ');
                blank = false;
            }
            label.push(character);
            length += needed;
        }
        // What stood apart may have come to look like one.
        match without_addresses(&label) {
            std::borrow::Cow::Borrowed(_) => Self(label),
            std::borrow::Cow::Owned(redacted) => Self(redacted.chars().take(LONGEST).collect()),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that hide or turn around what stands beside them.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

impl From<&crate::run::RunName> for Label {
    fn from(name: &crate::run::RunName) -> Self {
        Self::new(name.as_str())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_label_is_one_visible_line_without_an_address() {
        assert_eq!(Label::new(" a\r\n\tb\u{202E}c ").as_str(), "a b c");
        assert_eq!(Label::new("550 no jane.doe@example.com here").as_str(), "550 no [address] here");
        assert_eq!(Label::new("jane@\u{200B}example.com").as_str().find("jane@example"), None);
        let long = Label::new(&"あ".repeat(1000));
        assert_eq!(long.as_str().chars().count(), LONGEST);
        assert!(long.as_str().ends_with('…'));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one(text in any::<String>(), before in "\\PC{0,12}", after in "[ ,;<>]?") {
            let label = Label::new(&text);
            prop_assert!(label.as_str().chars().count() <= LONGEST);
            prop_assert!(!label.as_str().chars().any(is_invisible));
            let around = Label::new(&format!("{before} jane.doe@example.com{after}"));
            prop_assert!(!around.as_str().contains("jane.doe@example.com"), "{around}");
        }
    }
}
