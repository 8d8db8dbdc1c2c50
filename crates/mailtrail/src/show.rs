//! Values as text, the same for every way out: cells of rows, CSV that no spreadsheet calculates, JSON lines, times, and what
//! would steer a reader made visible.

pub mod csv;
pub mod json;
pub mod record;
pub mod time;

use jiff::tz::TimeZone;

pub use crate::visible::{shell_word, visible};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A text from wherever.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Yes or no.
    Bool(bool),
    /// µs since the epoch; printed as RFC 3339.
    Time(i64),
    /// Several texts.
    List(Vec<String>),
    /// JSON as text, printed as JSON where the format has it.
    Json(String),
}

impl Cell {
    /// A text, or nothing.
    #[must_use]
    pub fn text(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }

    /// The cell as one text, times by the clock of a zone; `None` for null.
    #[must_use]
    pub fn plain(&self, zone: &TimeZone) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) | Self::Json(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Bool(yes) => yes.to_string(),
            Self::Time(micros) => time::by_clock(*micros, zone),
            Self::List(items) => serde_json::to_string(items).unwrap_or_default(),
        })
    }
}
