//! Texts within runs of hex and base64 digits, at every offset of the digits.

use std::ops::Range;

use super::scan::runs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Hex,
    /// Both alphabets of RFC 4648.
    Base64,
}

const NONE: u8 = 0xff;
static HEX: [u8; 256] = values(Alphabet::Hex);
static BASE64: [u8; 256] = values(Alphabet::Base64);

const fn values(alphabet: Alphabet) -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = match (alphabet, b) {
            (Alphabet::Hex, b'0'..=b'9') => b - b'0',
            (Alphabet::Hex, b'a'..=b'f') => b - b'a' + 10,
            (Alphabet::Hex, b'A'..=b'F') => b - b'A' + 10,
            (Alphabet::Base64, b'A'..=b'Z') => b - b'A',
            (Alphabet::Base64, b'a'..=b'z') => b - b'a' + 26,
            (Alphabet::Base64, b'0'..=b'9') => b - b'0' + 52,
            (Alphabet::Base64, b'+' | b'-') => 62,
            (Alphabet::Base64, b'/' | b'_') => 63,
            _ => NONE,
        };
        byte += 1;
    }
    table
}

pub(super) fn is_base64(byte: u8) -> bool {
    BASE64[usize::from(byte)] != NONE
}

/// Whether that many hex digits stand in a row.
pub(super) fn has_hex(bytes: &[u8], count: usize) -> bool {
    runs(bytes.len(), count, |at| HEX[usize::from(bytes[at])] != NONE).next().is_some()
}

/// A text that a run of digits encodes, with the way back to the digits.
pub(super) struct Hidden {
    pub(super) bytes: Vec<u8>,
    alphabet: Alphabet,
    /// The digit from which bytes are counted.
    first_digit: usize,
    /// Bytes of the run before this text.
    before: usize,
}

impl Hidden {
    /// The digits that hold any bit of a range.
    pub(super) fn to_source(&self, range: &Range<usize>) -> Range<usize> {
        let (start, end) = (self.before + range.start, self.before + range.end);
        let (start, end) = match self.alphabet {
            Alphabet::Hex => (start * 2, end * 2),
            Alphabet::Base64 => (start * 8 / 6, (end * 8).div_ceil(6)),
        };
        self.first_digit + start..self.first_digit + end
    }
}

/// Visits each text of at least `shortest` bytes within a run of digits that `is_new`.
pub(super) fn each_text(
    bytes: &[u8],
    shortest: usize,
    is_new: impl Fn(&Range<usize>) -> bool,
    mut visit: impl FnMut(&Hidden),
) {
    for run in runs(bytes.len(), shortest * 2, |at| HEX[usize::from(bytes[at])] != NONE) {
        if is_new(&run) {
            for first_digit in run.start..run.start + 2 {
                let digits = &bytes[first_digit..run.end];
                let digit = |at: usize| HEX[usize::from(digits[at])];
                texts(
                    digits.len() / 2,
                    shortest,
                    |at| digit(at * 2) << 4 | digit(at * 2 + 1),
                    |bytes, before| {
                        visit(&Hidden { bytes, alphabet: Alphabet::Hex, first_digit, before });
                    },
                );
            }
        }
    }
    for run in runs(bytes.len(), (shortest * 8).div_ceil(6), |at| is_base64(bytes[at])) {
        if is_new(&run) {
            for first_digit in run.start..run.start + 4 {
                let digits = &bytes[first_digit..run.end];
                let digit = |at: usize| u16::from(BASE64[usize::from(digits[at])]);
                // A byte is 8 bits of two digits.
                let byte = |at: usize| {
                    let from = at + at / 3;
                    ((digit(from) << 6 | digit(from + 1)) >> (4 - at % 3 * 2)) as u8
                };
                texts(digits.len() * 6 / 8, shortest, byte, |bytes, before| {
                    visit(&Hidden { bytes, alphabet: Alphabet::Base64, first_digit, before });
                });
            }
        }
    }
}

fn texts(length: usize, shortest: usize, byte: impl Fn(usize) -> u8, mut visit: impl FnMut(Vec<u8>, usize)) {
    for text in runs(length, shortest, |at| is_text(length, at, &byte)) {
        visit(text.clone().map(&byte).collect(), text.start);
    }
}

/// Whether the byte is printable, a blank, or part of a character beyond ASCII.
#[inline]
fn is_text(length: usize, at: usize, byte: &impl Fn(usize) -> u8) -> bool {
    match byte(at) {
        b' '..=b'~' | b'\t' | b'\r' | b'\n' => true,
        // Most bytes that are no text end here.
        0x80..0xc0 if at == 0 || byte(at - 1) < 0x80 => false,
        0xc2..=0xf4 if at + 1 == length || byte(at + 1) & 0xc0 != 0x80 => false,
        0x80..0xc0 | 0xc2..=0xf4 => is_character(length, at, byte),
        _ => false,
    }
}

fn is_character(length: usize, at: usize, byte: &impl Fn(usize) -> u8) -> bool {
    let begin = (at.saturating_sub(3)..=at).rev().find(|at| byte(*at) & 0xc0 != 0x80);
    let Some(begin) = begin else { return false };
    let size = match byte(begin) {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return false,
    };
    if begin + size <= at || begin + size > length {
        return false;
    }
    let mut character = [0; 4];
    (0..size).for_each(|n| character[n] = byte(begin + n));
    std::str::from_utf8(&character[..size]).is_ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn found(digits: &str) -> Vec<(Vec<u8>, Range<usize>)> {
        let mut found = Vec::new();
        each_text(
            digits.as_bytes(),
            8,
            |_| true,
            |hidden| {
                found.push((hidden.bytes.clone(), hidden.to_source(&(0..hidden.bytes.len()))));
            },
        );
        found
    }

    proptest! {
        #[test]
        fn a_text_is_found_at_every_offset_with_its_digits(before in "[A-Za-z0-9]{0,4}", text in "[ -~é名]{8,30}") {
            let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            for digits in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text), hex] {
                let glued = format!("{before}{digits}");
                let found = found(&glued);
                let holds = found.iter().any(|(bytes, source)| {
                    bytes.windows(text.len()).any(|part| part == text.as_bytes()) && source.end <= glued.len()
                });
                prop_assert!(holds, "{text} in {glued}: {found:?}");
            }
        }
    }

    #[test]
    fn digits_that_encode_no_text_give_none() {
        for digits in ["1600112492", "d2e1a72fcca58si1234567qke", "Mozilla/5", "AppleWebKit/537", "InternalId", ""] {
            assert!(found(digits).is_empty(), "{digits}");
        }
    }
}
