//! Text as files and pipes bring it.

/// The byte order mark that Windows programs put before UTF-8.
const BOM: char = '\u{feff}';

/// Without a byte order mark at its start.
#[must_use]
pub fn without_bom(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text)
}
