//! How this process speaks to people: language and clock of `[output]`, known once the configuration is read. Before that, and
//! where there is none, English and UTC.

use std::sync::{LazyLock, OnceLock};

use jiff::tz::TimeZone;

use crate::config::{Language, Output};

static CONFIGURED: OnceLock<Output> = OnceLock::new();
static DEFAULT: LazyLock<Output> = LazyLock::new(Output::default);

/// From now on as configured; a process reads one configuration, so the first one holds.
pub(super) fn set(output: &Output) {
    let _the_first = CONFIGURED.set(output.clone());
}

fn style() -> &'static Output {
    CONFIGURED.get().unwrap_or(&DEFAULT)
}

/// Whose days and times of day are meant and shown.
pub(super) fn zone() -> &'static TimeZone {
    &style().time_zone
}

/// The language of whole sentences.
pub(super) fn language() -> Language {
    style().language
}

/// Whether CSV begins with the mark by which a spreadsheet knows UTF-8.
pub(super) fn csv_bom() -> bool {
    style().csv_bom
}
