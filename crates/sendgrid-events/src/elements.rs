//! Cuts JSON of any length into objects while it streams by: one object a line, arrays on one line or over many, or objects
//! written over several lines. What is broken ends where the grammar shows it, at the latest with its line or at the limit, so
//! that one bad object costs its neighbours nothing and memory stays bounded.

/// One object, or bytes in the place of one.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// As it stood there; cut at the limit.
    pub bytes: &'a [u8],
    /// The line it begins on, from 1.
    pub line: u64,
    /// Whether its brackets and quotes pair up as an object's do. What is not is broken off, or longer than the limit.
    pub whole: bool,
}

/// Cuts what is pushed into pieces.
pub struct Elements {
    /// Whether no object goes on behind the end of its line.
    lines: bool,
    limit: usize,
    state: State,
    open: Vec<u8>,
    piece: Vec<u8>,
    line: u64,
    begun_on: u64,
    /// The first byte that is no blank has not come by on this line.
    line_is_blank: bool,
    /// The last byte that was no blank.
    last: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before an object.
    Between,
    /// In an object, with what must come next.
    Expect(Next),
    /// In a string; whether a backslash came before, and whether it is a key.
    Text { escaped: bool, key: bool },
    /// In a number, `true`, `false` or `null`.
    Scalar,
    /// Behind a break.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Key,
    KeyOrEnd,
    Colon,
    Value,
    ValueOrEnd,
    CommaOrEnd,
}

impl Elements {
    /// `lines`: no object goes on behind the end of its line. A piece is at most `limit` bytes.
    #[must_use]
    pub fn new(lines: bool, limit: usize) -> Self {
        Self {
            lines,
            limit: limit.max(1),
            state: State::Between,
            open: Vec::new(),
            piece: Vec::new(),
            line: 1,
            begun_on: 1,
            line_is_blank: true,
            last: b' ',
        }
    }

    /// Whether the text that begins with `sample` has its objects on lines of their own.
    #[must_use]
    pub fn are_lines(sample: &[u8]) -> bool {
        let whole = |lines| {
            let mut count = 0;
            let mut elements = Self::new(lines, sample.len());
            elements.push(sample, &mut |piece| count += usize::from(piece.whole));
            count
        };
        whole(true) >= whole(false).max(1)
    }

    /// Takes the next bytes, and hands on each piece that ends in them.
    pub fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(Piece<'_>)) {
        for &byte in bytes {
            self.byte(byte, each);
            if byte == b'\n' {
                self.line += 1;
                self.line_is_blank = true;
            } else if !is_blank(byte) {
                self.line_is_blank = false;
                self.last = byte;
            }
        }
    }

    /// The end: what has begun and did not end is broken.
    pub fn finish(&mut self, each: &mut impl FnMut(Piece<'_>)) {
        self.end(false, each);
    }

    fn byte(&mut self, byte: u8, each: &mut impl FnMut(Piece<'_>)) {
        match self.state {
            State::Between => match byte {
                b'{' => self.begin(),
                // A byte order mark is no text.
                b'[' | b']' | b',' | 0xEF | 0xBB | 0xBF => {}
                byte if is_blank(byte) => {}
                _ => {
                    self.begun_on = self.line;
                    self.state = State::Broken;
                    self.keep(byte);
                }
            },
            State::Broken => match byte {
                b'\n' => self.end(false, each),
                b',' | b']' if self.last == b'}' || !self.piece.starts_with(b"{") => self.end(false, each),
                b'{' if self.line_is_blank => {
                    self.end(false, each);
                    self.begin();
                }
                byte => self.keep(byte),
            },
            _ if byte == b'\n' && self.lines => self.end(false, each),
            State::Text { escaped, key } => match byte {
                b'\n' => self.end(false, each),
                byte => {
                    self.keep(byte);
                    self.state = match (byte, escaped) {
                        (b'"', false) => State::Expect(if key { Next::Colon } else { Next::CommaOrEnd }),
                        (b'\\', false) => State::Text { escaped: true, key },
                        _ => State::Text { escaped: false, key },
                    };
                }
            },
            State::Scalar if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') => self.keep(byte),
            State::Scalar => self.expected(Next::CommaOrEnd, byte, each),
            State::Expect(next) => self.expected(next, byte, each),
        }
        if self.piece.len() >= self.limit && !matches!(self.state, State::Between | State::Broken) {
            self.state = State::Broken;
        }
    }

    fn expected(&mut self, next: Next, byte: u8, each: &mut impl FnMut(Piece<'_>)) {
        let in_object = self.open.last() == Some(&b'{');
        let then = match (byte, next) {
            (byte, next) if is_blank(byte) => State::Expect(next),
            (b'"', Next::Key | Next::KeyOrEnd) => State::Text { escaped: false, key: true },
            (b'"', Next::Value | Next::ValueOrEnd) => State::Text { escaped: false, key: false },
            (b':', Next::Colon) => State::Expect(Next::Value),
            (b',', Next::CommaOrEnd) => State::Expect(if in_object { Next::Key } else { Next::Value }),
            (b'{', Next::Value | Next::ValueOrEnd) => {
                self.open.push(b'{');
                State::Expect(Next::KeyOrEnd)
            }
            (b'[', Next::Value | Next::ValueOrEnd) => {
                self.open.push(b'[');
                State::Expect(Next::ValueOrEnd)
            }
            (b'}', Next::KeyOrEnd | Next::CommaOrEnd) if in_object => return self.close(byte, each),
            (b']', Next::ValueOrEnd | Next::CommaOrEnd) if !in_object => return self.close(byte, each),
            (byte, Next::Value | Next::ValueOrEnd) if byte.is_ascii_alphanumeric() || byte == b'-' => State::Scalar,
            _ => {
                self.state = State::Broken;
                // An object where none can be begins a new one, at the beginning of a line at least.
                return self.byte(byte, each);
            }
        };
        self.state = then;
        self.keep(byte);
    }

    fn close(&mut self, byte: u8, each: &mut impl FnMut(Piece<'_>)) {
        self.keep(byte);
        self.open.pop();
        self.state = State::Expect(Next::CommaOrEnd);
        if self.open.is_empty() {
            self.end(true, each);
        }
    }

    fn begin(&mut self) {
        self.begun_on = self.line;
        self.open.push(b'{');
        self.piece.push(b'{');
        self.state = State::Expect(Next::KeyOrEnd);
    }

    fn keep(&mut self, byte: u8) {
        if self.piece.len() < self.limit {
            self.piece.push(byte);
        }
    }

    fn end(&mut self, whole: bool, each: &mut impl FnMut(Piece<'_>)) {
        let bytes = self.piece.trim_ascii();
        if !bytes.is_empty() {
            each(Piece { bytes, line: self.begun_on, whole });
        }
        self.piece.clear();
        self.open.clear();
        self.state = State::Between;
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, lines: bool) -> Vec<(String, u64, bool)> {
        let mut found = Vec::new();
        let mut each = |piece: Piece<'_>| {
            found.push((String::from_utf8_lossy(piece.bytes).into_owned(), piece.line, piece.whole));
        };
        let mut elements = Elements::new(lines, 60);
        elements.push(text.as_bytes(), &mut each);
        elements.finish(&mut each);
        found
    }

    fn whole(text: &str, lines: bool) -> Vec<String> {
        cut(text, lines).into_iter().filter(|(.., whole)| *whole).map(|(text, ..)| text).collect()
    }

    #[test]
    fn objects_are_found_in_every_layout() {
        for (text, lines) in [
            ("{\"a\":1}\n{\"b\":[2,{\"c\":\"}\\\"\"}]}\r\n", true),
            ("[{\"a\":1},\r\n{\"b\":[2,{\"c\":\"}\\\"\"}]}]\r\n", true),
            ("[{\"a\":1}]\n[]\n\n[{\"b\":[2,{\"c\":\"}\\\"\"}]}]", true),
            ("\u{feff}[\n  {\"a\":1},\n  {\"b\":[2,{\"c\":\"}\\\"\"}]}\n]\n", true),
            ("{\"a\":1}{\"b\":[2,{\"c\":\"}\\\"\"}]}", true),
        ] {
            assert_eq!(Elements::are_lines(text.as_bytes()), lines, "{text}");
            for lines in [lines, false] {
                assert_eq!(whole(text, lines), ["{\"a\":1}", "{\"b\":[2,{\"c\":\"}\\\"\"}]}"], "{text}");
            }
        }
        let over_lines = "[\n  {\n    \"a\": 1\n  },\n  {\n    \"b\": {}\n  }\n]\n";
        assert!(!Elements::are_lines(over_lines.as_bytes()));
        assert_eq!(
            cut(over_lines, false).iter().map(|(_, line, whole)| (*line, *whole)).collect::<Vec<_>>(),
            [(2, true), (5, true)]
        );
    }

    #[test]
    fn what_is_broken_costs_its_neighbours_nothing() {
        for bad in [
            "{\"a\":1",
            "{\"a\":\"x",
            "{\"a\":",
            "{\"a\"",
            "{bad}",
            "nonsense",
            "{\"a\":1]",
            "{\"a\":1,}",
            "{",
            "}",
            "\"",
            "{{",
        ] {
            let text = format!("{{\"x\":1}}\n{bad}\n{{\"y\":2}}\n");
            let found = cut(&text, true);
            assert_eq!(whole(&text, true), ["{\"x\":1}", "{\"y\":2}"], "{text}");
            assert_eq!((found.len(), found[1].1), (3, 2), "{text}");
        }
        assert_eq!(whole("[{\"a\":1},{bad},{\"b\":2}]", false), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(whole("[{\"a\":1},7,{\"b\":2}]", false), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(whole("[\n{\"a\":1,\n{\"b\":2},\n{\"c\":3}\n]", false), ["{\"b\":2}", "{\"c\":3}"]);
        let long = format!("{{\"a\":\"{}\"}}\n{{\"b\":2}}\n", "x".repeat(200));
        for lines in [true, false] {
            let found = cut(&long, lines);
            assert_eq!(found.iter().map(|(text, ..)| text.len()).collect::<Vec<_>>(), [60, 7], "{lines}");
            assert_eq!(whole(&long, lines), ["{\"b\":2}"]);
        }
    }
}
