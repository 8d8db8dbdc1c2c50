//! How notices are told, whatever they tell.

use jiff::tz::TimeZone;

use crate::config::{Config, Language, PublicUrl};

/// What the configuration says of the words of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// The language.
    pub language: Language,
    /// Whether what mail servers wrote is quoted.
    pub reasons: bool,
    /// Whose clock times are told by.
    pub time_zone: TimeZone,
    /// Where people find the page, to which notices link.
    pub page: Option<PublicUrl>,
}

impl Manner {
    /// As configured.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            language: config.slack.language,
            reasons: config.slack.reasons,
            time_zone: config.output.time_zone.clone(),
            page: config.web.as_ref().and_then(|web| web.public_url.clone()),
        }
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self { language: Language::English, reasons: false, time_zone: TimeZone::UTC, page: None }
    }
}
