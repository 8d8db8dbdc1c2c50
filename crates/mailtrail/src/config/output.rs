//! `[output]`: language and clock of what people read. JSON is for machines: English words, UTC.

use jiff::tz::TimeZone;

use super::language::{self, Language};
use super::reader::Reader;

/// `[output]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Of what is said in whole sentences.
    pub language: Language,
    /// Whose days and times of day are meant and shown.
    pub time_zone: TimeZone,
    /// Whether CSV begins with the mark by which a spreadsheet knows UTF-8.
    pub csv_bom: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self { language: Language::default(), time_zone: TimeZone::UTC, csv_bom: false }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Output {
    let language = language::read(reader, "output.language").unwrap_or_default();
    let time_zone = reader.text("output.time_zone").and_then(|name| match TimeZone::get(&name) {
        Ok(zone) => Some(zone),
        Err(_) => {
            let why = format!("{name:?} is no time zone: write a name such as Asia/Tokyo, Europe/Berlin or UTC");
            reader.problem("output.time_zone", why);
            None
        }
    });
    // Excel takes a file without the mark for the system's own encoding, which in Japan is not UTF-8.
    let csv_bom = reader.boolean("output.csv_bom", language == Language::Japanese);
    Output { language, time_zone: time_zone.unwrap_or(TimeZone::UTC), csv_bom }
}
