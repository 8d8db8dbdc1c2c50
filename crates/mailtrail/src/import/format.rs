//! What a file is, by how it begins.

use sendgrid_events::batch;
use sendgrid_events::elements::{Elements, Piece};

use super::objects::Form;
use super::row;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Events as SendGrid posts them: one a line, arrays, bodies.
    SendGrid,
    /// Rows as JSON: one a line, or arrays.
    Rows,
    /// Rows as CSV with a heading.
    Csv,
    /// Rows as Parquet.
    Parquet,
    /// Another trail.
    Trail,
    /// A table of BigQuery's.
    BigQuery,
}

/// Why nobody can say what a file is.
pub(super) fn unknown(sample: &[u8]) -> String {
    match sample {
        [] => "it is empty",
        [0x1f, 0x8b, ..] => "it is compressed by gzip: hand it in by `gunzip -c FILE | mailtrail import -`",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is compressed by zstd: hand it in by `zstd -dc FILE | mailtrail import -`",
        [b'P', b'K', 3, 4, ..] => "it is a ZIP archive: unpack it first",
        _ => {
            "it begins neither as JSON, nor as Parquet, nor as a trail, nor as CSV whose heading names event and timestamp; \
             --format says what it is"
        }
    }
    .to_owned()
}

/// What a file is that begins like this.
pub(super) fn of(sample: &[u8]) -> Option<Format> {
    if sample.starts_with(b"PAR1") {
        return Some(Format::Parquet);
    }
    if sample.starts_with(b"SQLite format 3\0") {
        return Some(Format::Trail);
    }
    let text = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample).trim_ascii_start();
    if matches!(text.first(), Some(b'{' | b'[')) {
        return Some(if is_of_rows(text) { Format::Rows } else { Format::SendGrid });
    }
    let heading = text.split(|byte| *byte == b'\n').next().unwrap_or_default().to_ascii_lowercase();
    let names: Vec<&[u8]> = heading.split(|byte| b",;\t".contains(byte)).map(|name| name.trim_ascii()).collect();
    let has = |wanted: &[u8]| {
        names
            .iter()
            .any(|name| name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name) == wanted)
    };
    (has(b"event") && has(b"timestamp")).then_some(Format::Csv)
}

/// By the first object that can be read.
fn is_of_rows(text: &[u8]) -> bool {
    let mut verdict = None;
    let mut each = |piece: Piece<'_>| {
        if verdict.is_none() && piece.whole {
            verdict = batch::object(piece.bytes).ok().map(|object| row::is_row(&object));
        }
    };
    Elements::new(Elements::are_lines(text), text.len()).push(text, &mut each);
    verdict.unwrap_or(false)
}

impl Format {
    /// The form of a file's objects, where it has any.
    pub(super) fn form(self) -> Option<Form> {
        match self {
            Format::SendGrid => Some(Form::Posted),
            Format::Rows => Some(Form::Rows),
            Format::Csv | Format::Parquet | Format::Trail | Format::BigQuery => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_how_they_begin() {
        for (text, expected) in [
            ("{\"event\":\"open\",\"timestamp\":1700000000}\n", Some(Format::SendGrid)),
            ("\u{feff}\n[{\"event\":\"open\",\"timestamp\":\"1700000000\"}]", Some(Format::SendGrid)),
            ("{broken\n{\"event\":\"open\",\"timestamp\":\"2023-11-14T22:13:20Z\"}\n", Some(Format::Rows)),
            ("[]", Some(Format::SendGrid)),
            ("sg_event_id,timestamp,event,reason,category,email_hash\n", Some(Format::Csv)),
            ("\"Event\";\"Timestamp\"\r\n", Some(Format::Csv)),
            ("PAR1....", Some(Format::Parquet)),
            ("SQLite format 3\0", Some(Format::Trail)),
            ("sg_event_id,reason\n", None),
            ("", None),
            ("\u{1f}\u{8b}", None),
        ] {
            assert_eq!(of(text.as_bytes()), expected, "{text:?}");
        }
    }
}
