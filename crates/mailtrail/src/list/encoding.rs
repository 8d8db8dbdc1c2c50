//! How a list's bytes are text: UTF-8, UTF-16 with its mark, or what Japanese Excel saves.

use std::borrow::Cow;

use encoding_rs::{SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};

/// What the user says about a list's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum EncodingChoice {
    /// UTF-16 where its mark says so, UTF-8 where it is, else cp932.
    #[default]
    Auto,
    /// UTF-8 and nothing else.
    #[value(name = "utf-8")]
    Utf8,
    /// cp932 (Windows-31J) and nothing else.
    Cp932,
}

/// How a list was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16 with a byte order mark.
    Utf16,
    /// cp932, as Japanese Excel saves CSV.
    Cp932,
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Cp932 => "cp932",
        })
    }
}

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes that can be cut into cells before they are decoded: in UTF-8 and cp932 alike no byte below 0x40 is part of a
/// longer character. So an error can say in which cell it is.
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    pub(super) encoding: Encoding,
}

/// Finds the encoding; `None` where UTF-16 is broken.
pub(super) fn open(mut bytes: Vec<u8>, choice: EncodingChoice) -> Option<Bytes> {
    if choice != EncodingChoice::Cp932 && bytes.starts_with(UTF_8_MARK) {
        bytes.drain(..UTF_8_MARK.len());
        return Some(Bytes { bytes, encoding: Encoding::Utf8 });
    }
    if choice == EncodingChoice::Auto {
        for (mark, utf_16) in [(b"\xff\xfe", UTF_16LE), (b"\xfe\xff", UTF_16BE)] {
            if let Some(rest) = bytes.strip_prefix(mark) {
                let text = utf_16.decode_without_bom_handling_and_without_replacement(rest)?;
                return Some(Bytes { bytes: text.into_owned().into_bytes(), encoding: Encoding::Utf16 });
            }
        }
    }
    let encoding = match choice {
        EncodingChoice::Utf8 => Encoding::Utf8,
        EncodingChoice::Cp932 => Encoding::Cp932,
        EncodingChoice::Auto if is_rather_utf_8(&bytes) => Encoding::Utf8,
        EncodingChoice::Auto => Encoding::Cp932,
    };
    Some(Bytes { bytes, encoding })
}

/// UTF-8 with a few broken bytes is an error to tell, not a reason to read everything as cp932, which takes nearly any
/// bytes and makes nonsense of them.
fn is_rather_utf_8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= bad
}

/// A cell's text; `None` where a byte cannot be decoded.
pub(super) fn decode(cell: &[u8], encoding: Encoding) -> Option<Cow<'_, str>> {
    let codec = if encoding == Encoding::Cp932 { SHIFT_JIS } else { UTF_8 };
    codec.decode_without_bom_handling_and_without_replacement(cell)
}
