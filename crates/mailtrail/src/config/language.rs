//! The languages that people are spoken to in.

use super::reader::Reader;

/// A language of texts for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English
    #[default]
    English,
    /// 日本語
    Japanese,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>, key: &'static str) -> Option<Language> {
    reader.choice(key, &Language::ALL.map(|language| (language.as_str(), language)))
}
