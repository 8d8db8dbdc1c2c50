//! How a list's bytes are text.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{DecoderResult, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};

use super::detect;
use super::problem::ListError;
use super::records::{self, Records};

/// What the user says about a list's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodingChoice {
    /// UTF-8 where it is, else what the text shows, as far as only one encoding makes sense of it.
    #[default]
    Auto,
    /// This one, unless a byte order mark says otherwise.
    Named(Encoding),
}

/// How a list was read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoding(pub(super) &'static encoding_rs::Encoding);

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(UTF_8);
    /// cp932, as Japanese Excel saves CSV.
    pub const CP932: Self = Self(SHIFT_JIS);

    /// Whether a byte order mark or the form of the text proves it; else the reader names it.
    #[must_use]
    pub fn is_unicode(self) -> bool {
        [UTF_8, UTF_16LE, UTF_16BE].contains(&self.0)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names that people meet elsewhere: Excel, Windows and Apple do not use the WHATWG's.
        f.write_str(match self.0.name() {
            "Shift_JIS" => "cp932",
            "macintosh" => "macintosh (Mac Roman)",
            name => name,
        })
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for EncodingChoice {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        let label = label.trim();
        if label.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        // Names that the WHATWG does not list.
        let known = match label.to_ascii_lowercase().as_str() {
            "cp932" | "ms932" => Some(SHIFT_JIS),
            "macroman" | "mac-roman" | "macos-roman" => Some(encoding_rs::MACINTOSH),
            _ => encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()),
        };
        let wrong = "no encoding of this name: use auto, or a label of the WHATWG such as utf-8, cp932, windows-1252";
        known.map(|known| Self::Named(Encoding(known))).ok_or_else(|| wrong.to_owned())
    }
}

impl fmt::Display for EncodingChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Named(encoding) => encoding.fmt(f),
        }
    }
}

/// The text of a file, without its byte order mark.
pub(super) fn decode(bytes: Vec<u8>, choice: EncodingChoice) -> Result<(String, Encoding), ListError> {
    let (encoding, mark) = match (encoding_rs::Encoding::for_bom(&bytes), choice) {
        (Some((encoding, length)), _) => (encoding, length),
        (None, EncodingChoice::Named(Encoding(encoding))) => (encoding, 0),
        (None, EncodingChoice::Auto) => (detect::encoding(&bytes)?, 0),
    };
    let encoding = Encoding(encoding);
    let text = if encoding == Encoding::UTF_8 {
        let mut bytes = bytes;
        bytes.drain(..mark);
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            undecodable(&String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()), encoding)
        })?
    } else {
        strict(bytes.get(mark..).unwrap_or_default(), encoding.0).map_err(|valid| undecodable(&valid, encoding))?
    };
    Ok((text, encoding))
}

/// Decodes everything; in front of what cannot be decoded, `Err` with the text up to there.
pub(super) fn strict(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> Result<String, String> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let length = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len());
    let mut text = String::with_capacity(length);
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true).0 {
        DecoderResult::InputEmpty => Ok(text),
        // The output is large enough, so this is a byte that cannot be decoded.
        DecoderResult::OutputFull | DecoderResult::Malformed(..) => Err(text),
    }
}

/// Where the text before a byte that cannot be decoded ends.
fn undecodable(before: &str, encoding: Encoding) -> ListError {
    let delimiter = super::table::delimiter(before);
    let last = Records::new(before, delimiter, 0, 1).last();
    let (begins_line, row) = (before.is_empty() || before.ends_with(['\r', '\n']), 1 + records::line_breaks(before));
    let column = if begins_line { 1 } else { last.map_or(1, |record| record.cells.len()) };
    ListError::Undecodable { row, column, encoding }
}
