//! Levels of decoding: percent escapes and HTML entities undone, with the way back to the text as sent.

use std::borrow::Cow;
use std::ops::Range;

/// Escaped three times over is where it ends; each level costs a pass.
const DEEPEST: u8 = 3;

/// A text at one level of decoding.
pub(super) struct Level<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where each byte, and the end, came from in the text as sent; `None`: where it stands.
    origins: Option<Vec<usize>>,
    depth: u8,
}

impl<'t> Level<'t> {
    /// The text as sent.
    pub(super) fn plain(text: &'t str) -> Self {
        Self { bytes: Cow::Borrowed(text.as_bytes()), origins: None, depth: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The range of the text as sent from which a range of this level was decoded.
    pub(super) fn to_original(&self, range: Range<usize>) -> Range<usize> {
        match &self.origins {
            None => range,
            Some(origins) => origins[range.start]..origins[range.end],
        }
    }

    /// The next level; `None` where nothing is left to decode.
    pub(super) fn decoded(&self) -> Option<Level<'t>> {
        if self.depth == DEEPEST {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut origins = Vec::with_capacity(self.bytes.len() + 1);
        let origin = |at: usize| self.origins.as_ref().map_or(at, |origins| origins[at]);
        let mut at = 0;
        let mut changed = false;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let (character, length) = match unescape(rest) {
                Some(unescaped) => {
                    changed = true;
                    unescaped
                }
                None => (Unescaped::Byte(rest[0]), 1),
            };
            let mut utf8 = [0; 4];
            let decoded: &[u8] = match &character {
                Unescaped::Byte(byte) => std::slice::from_ref(byte),
                Unescaped::Char(c) => c.encode_utf8(&mut utf8).as_bytes(),
            };
            for byte in decoded {
                bytes.push(*byte);
                origins.push(origin(at));
            }
            at += length;
        }
        origins.push(origin(at));
        changed.then(|| Level { bytes: Cow::Owned(bytes), origins: Some(origins), depth: self.depth + 1 })
    }
}

enum Unescaped {
    Byte(u8),
    Char(char),
}

/// What an escape at the start of `rest` stands for, and its length.
fn unescape(rest: &[u8]) -> Option<(Unescaped, usize)> {
    match rest[0] {
        b'%' => {
            let (high, low) = (hex(*rest.get(1)?)?, hex(*rest.get(2)?)?);
            Some((Unescaped::Byte(high * 16 + low), 3))
        }
        b'&' => {
            let end = rest.iter().take(12).position(|&b| b == b';')?;
            let name = &rest[1..end];
            let character = match name {
                [b'#', b'x' | b'X', digits @ ..] => numeric(digits, 16)?,
                [b'#', digits @ ..] => numeric(digits, 10)?,
                b"commat" => '@',
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                b"period" => '.',
                b"plus" => '+',
                b"equals" => '=',
                b"lowbar" => '_',
                b"percnt" => '%',
                b"num" => '#',
                b"semi" => ';',
                _ => return None,
            };
            Some((Unescaped::Char(character), end + 1))
        }
        _ => None,
    }
}

fn numeric(digits: &[u8], radix: u32) -> Option<char> {
    let digits = std::str::from_utf8(digits).ok().filter(|d| !d.starts_with(['+', '-']))?;
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decoded_maps_back_to_what_was_sent() {
        let text = "a%2540b&#64;c";
        let once = Level::plain(text).decoded().expect("escapes");
        assert_eq!(once.bytes(), b"a%40b@c");
        assert_eq!(&text[once.to_original(5..6)], "&#64;");
        let twice = once.decoded().expect("still an escape");
        assert_eq!(twice.bytes(), b"a@b@c");
        assert_eq!(&text[twice.to_original(1..2)], "%2540");
        assert!(twice.decoded().is_none());
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100%", "%zz", "a & b", "&nosuch;", "&#;", "&#x110000;", "%"] {
            assert!(Level::plain(text).decoded().is_none(), "{text}");
        }
    }
}
