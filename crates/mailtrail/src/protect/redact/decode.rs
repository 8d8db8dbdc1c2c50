//! Escapes undone, with the way back to the text that they were in: percent, HTML and JSON escapes in one pass,
//! quoted-printable, and line ends within long encodings. Nothing that is decoded is longer than its escape.

use std::ops::Range;

/// A decoded text. Its source is the text it was decoded from.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// An escape and what it stood for.
struct Change {
    at: usize,
    length: usize,
    source: Range<usize>,
}

/// What an escape stands for: at most one character.
struct Piece {
    bytes: [u8; 4],
    length: usize,
}

impl Piece {
    const NOTHING: Self = Self { bytes: [0; 4], length: 0 };

    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn character(character: char) -> Self {
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }
}

impl Decoded {
    /// The range of the source from which a range was decoded; whole escapes.
    pub(super) fn to_source(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.locate(range.start).start;
        // An empty range has no last byte.
        let end = if range.is_empty() { start } else { self.locate(range.end - 1).end };
        start..end.max(start)
    }

    /// Where the byte at `at` came from.
    fn locate(&self, at: usize) -> Range<usize> {
        let Some(before) = self.changes.partition_point(|change| change.at <= at).checked_sub(1) else {
            return at..at + 1;
        };
        let Change { at: begin, length, source } = &self.changes[before];
        if at < begin + length {
            return source.clone();
        }
        let start = source.end + (at - begin - length);
        start..start + 1
    }

    /// Whether an escape was undone within a range or directly beside it.
    pub(super) fn changed(&self, range: &Range<usize>) -> bool {
        let first = self.changes.partition_point(|change| change.at + change.length < range.start);
        self.changes.get(first).is_some_and(|change| change.at <= range.end)
    }
}

/// Percent escapes, HTML entities and the escapes of JSON strings undone once; `None` if there are none.
pub(super) fn unescaped(bytes: &[u8]) -> Option<Decoded> {
    rewritten(
        bytes,
        |byte| matches!(byte, b'%' | b'&' | b'\\'),
        |bytes, at| match bytes[at] {
            b'%' => percent(&bytes[at..]),
            b'&' => entity(&bytes[at..]),
            _ => backslash(&bytes[at..]),
        },
    )
}

/// `=40` and soft line ends undone; `None` if there are none. Only printable characters and bytes beyond ASCII count, because
/// `=` and digits are common in queries.
pub(super) fn quoted_printable(bytes: &[u8]) -> Option<Decoded> {
    rewritten(
        bytes,
        |byte| byte == b'=',
        |bytes, at| {
            let rest = &bytes[at + 1..];
            if let Some(length) = line_end(rest) {
                return Some((Piece::NOTHING, length + 1));
            }
            let byte = pair(rest)?;
            matches!(byte, b' '..=b'~' | 0x80..).then(|| (Piece::byte(byte), 3))
        },
    )
}

/// Without the line ends, and the indentation behind them, that stand between two digits of base64 or hex.
pub(super) fn joined(bytes: &[u8], is_digit: impl Fn(u8) -> bool) -> Option<Decoded> {
    rewritten(
        bytes,
        |byte| matches!(byte, b'\r' | b'\n'),
        |bytes, at| {
            let blank = bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let before = at.checked_sub(1).map(|before| bytes[before]);
            let joins = before.is_some_and(&is_digit) && bytes.get(at + blank).is_some_and(|byte| is_digit(*byte));
            // What joins nothing is passed over as a whole.
            Some((if joins { Piece::NOTHING } else { Piece::byte(b'\n') }, blank))
        },
    )
}

fn rewritten(
    bytes: &[u8],
    begins: impl Fn(u8) -> bool,
    escape: impl Fn(&[u8], usize) -> Option<(Piece, usize)>,
) -> Option<Decoded> {
    let (mut decoded, mut copied, mut at) = (Decoded { bytes: Vec::new(), changes: Vec::new() }, 0, 0);
    while let Some(next) = bytes[at..].iter().position(|byte| begins(*byte)) {
        let begin = at + next;
        let Some((piece, length)) = escape(bytes, begin) else {
            at = begin + 1;
            continue;
        };
        decoded.bytes.extend_from_slice(&bytes[copied..begin]);
        let change = Change { at: decoded.bytes.len(), length: piece.length, source: begin..begin + length };
        decoded.changes.push(change);
        decoded.bytes.extend_from_slice(&piece.bytes[..piece.length]);
        at = begin + length;
        copied = at;
    }
    if decoded.changes.is_empty() {
        return None;
    }
    decoded.bytes.extend_from_slice(&bytes[copied..]);
    Some(decoded)
}

/// `%40`
fn percent(rest: &[u8]) -> Option<(Piece, usize)> {
    Some((Piece::byte(pair(&rest[1..])?), 3))
}

/// `&commat;`, `&#64;`
fn entity(rest: &[u8]) -> Option<(Piece, usize)> {
    if rest.get(1) == Some(&b'#') {
        return numeric_entity(rest);
    }
    let letters = rest[1..].iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = &rest[1..=letters];
    let character = match name {
        b"commat" => '@',
        b"amp" | b"AMP" => '&',
        b"lt" | b"LT" => '<',
        b"gt" | b"GT" => '>',
        b"quot" | b"QUOT" => '"',
        b"apos" => '\'',
        b"period" => '.',
        b"plus" => '+',
        b"equals" => '=',
        b"lowbar" | b"UnderBar" => '_',
        b"percnt" => '%',
        b"num" => '#',
        b"semi" => ';',
        b"sol" => '/',
        b"bsol" => '\\',
        b"excl" => '!',
        b"quest" => '?',
        b"lpar" => '(',
        b"rpar" => ')',
        b"colon" => ':',
        b"comma" => ',',
        b"nbsp" => ' ',
        b"hyphen" | b"dash" => '-',
        _ if name.starts_with(b"amp") => return Some((Piece::byte(b'&'), 4)),
        _ => return None,
    };
    let is_closed = rest.get(letters + 1) == Some(&b';');
    // Browsers take the oldest names without a semicolon, too.
    let is_old = matches!(character, '&' | '<' | '>' | '"');
    (is_closed || is_old).then(|| (Piece::character(character), letters + 1 + usize::from(is_closed)))
}

/// `&#64;`, `&#x40;`, with leading zeros or without the semicolon: browsers take them all.
fn numeric_entity(rest: &[u8]) -> Option<(Piece, usize)> {
    let (from, radix) = if matches!(rest.get(2), Some(b'x' | b'X')) { (3, 16) } else { (2, 10) };
    let digits = rest[from..].iter().map_while(|byte| char::from(*byte).to_digit(radix));
    let (count, value) =
        digits.fold((0, 0_u32), |(count, value), digit| (count + 1, value.saturating_mul(radix).saturating_add(digit)));
    let character = char::from_u32(value).filter(|_| count > 0)?;
    let end = from + count;
    Some((Piece::character(character), end + usize::from(rest.get(end) == Some(&b';'))))
}

/// `\u0040`, `\u{40}`, `\x40`, `\/`, `\"`: of JSON and of the languages that print like it.
fn backslash(rest: &[u8]) -> Option<(Piece, usize)> {
    match rest.get(1)? {
        b'u' if rest.get(2) == Some(&b'{') => {
            let digits = rest[3..].iter().take(6).map_while(|byte| hex_digit(*byte));
            let (count, value) =
                digits.fold((0, 0), |(count, value), digit| (count + 1, value * 16 + u32::from(digit)));
            let is_closed = count > 0 && rest.get(3 + count) == Some(&b'}');
            let character = char::from_u32(value).filter(|_| is_closed)?;
            Some((Piece::character(character), count + 4))
        }
        b'u' => {
            let unit = four(&rest[2..])?;
            if let Some(character) = char::from_u32(unit) {
                return Some((Piece::character(character), 6));
            }
            // The first half of a pair of surrogates, and only with the second.
            let second = rest.get(6..8).filter(|begin| *begin == b"\\u").and_then(|_| four(&rest[8..]))?;
            let is_pair = (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&second);
            let character =
                is_pair.then(|| char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00)))??;
            Some((Piece::character(character), 12))
        }
        b'x' => Some((Piece::byte(pair(&rest[2..])?), 4)),
        other @ (b'/' | b'"' | b'\\' | b'\'') => Some((Piece::byte(*other), 2)),
        b'n' | b'r' => Some((Piece::byte(b'\n'), 2)),
        b't' | b'b' | b'f' => Some((Piece::byte(b' '), 2)),
        _ => None,
    }
}

fn line_end(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => None,
    }
}

fn four(digits: &[u8]) -> Option<u32> {
    Some(u32::from(pair(digits)?) << 8 | u32::from(pair(digits.get(2..)?)?))
}

fn pair(digits: &[u8]) -> Option<u8> {
    Some(hex_digit(*digits.first()?)? << 4 | hex_digit(*digits.get(1)?)?)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_decoded_maps_back_to_what_was_sent() {
        let text = "a%2540b&#64;c";
        let once = unescaped(text.as_bytes()).expect("escapes");
        assert_eq!(once.bytes, b"a%40b@c");
        assert_eq!(&text[once.to_source(&(5..6))], "&#64;");
        let twice = unescaped(&once.bytes).expect("still an escape");
        assert_eq!(twice.bytes, b"a@b@c");
        assert_eq!(&text[once.to_source(&twice.to_source(&(1..2)))], "%2540");
        assert_eq!(&text[once.to_source(&twice.to_source(&(0..5)))], text);
        assert!(unescaped(&twice.bytes).is_none());
        assert!(twice.changed(&(0..1)) && !twice.changed(&(3..5)));
    }

    #[test]
    fn escapes_stand_for_what_they_stand_for_elsewhere() {
        for (text, expected) in [
            ("&commat;&COMMAT;&amp;#64;&amp#64;&lt", "@&COMMAT;&#64;&#64;<"),
            ("&#00000000000000000000000064;&#x40&#X40;", "@@@"),
            (r"\u0040\u002B\x40\u{40}\/\\u0040\ud83d\ude00\ud83d", "@+@@/\\u0040\u{1f600}\\ud83d"),
            ("%40%4", "@%4"),
        ] {
            assert_eq!(String::from_utf8(unescaped(text.as_bytes()).unwrap().bytes).unwrap(), expected);
        }
        let printable = quoted_printable(b"jane=40exam=\r\nple.com=00=E4").unwrap();
        assert_eq!(printable.bytes, b"jane@example.com=00\xe4");
        assert_eq!(joined(b"ab\r\n  cd \n ef", |b| b.is_ascii_hexdigit()).unwrap().bytes, b"abcd \nef");
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100%", "%zz", "a & b", "&nosuch;", "&#;", "&#x110000;", "%", r"C:\work", "\\", "&commat", "&"] {
            assert!(unescaped(text.as_bytes()).is_none(), "{text}");
        }
        assert!(quoted_printable(b"a=1&b=zz=").is_none());
    }

    proptest! {
        #[test]
        fn every_range_maps_to_a_range_and_the_whole_to_the_whole(text in r"([a&@%=\\u]|%4[0-9]|&#6[0-9];|\n|\\u0040|=4[0-9]){0,20}") {
            for decoded in [unescaped(text.as_bytes()), quoted_printable(text.as_bytes()), joined(text.as_bytes(), |_| true)].into_iter().flatten() {
                prop_assert!(decoded.bytes.len() <= text.len());
                let mut last = 0;
                for at in 0..decoded.bytes.len() {
                    let source = decoded.to_source(&(at..at + 1));
                    prop_assert!(source.start >= last && source.end <= text.len() && !source.is_empty());
                    last = source.start;
                }
            }
        }
    }
}
