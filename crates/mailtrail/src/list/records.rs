//! CSV cut into records and cells, with the row and column of every quote that does not fit.

use std::borrow::Cow;

/// Cuts text at a delimiter and at LF, CR LF or CR; lines without anything are passed over.
pub(super) struct Records<'t> {
    text: &'t str,
    delimiter: u8,
    at: usize,
    line: u64,
}

/// One record.
pub(super) struct Record<'t> {
    /// Line of the file it begins on, from 1.
    pub(super) row: u64,
    /// Where it begins in the text.
    pub(super) start: usize,
    pub(super) cells: Vec<Cell<'t>>,
}

pub(super) struct Cell<'t> {
    pub(super) text: Cow<'t, str>,
    /// Line of the file it begins on, from 1.
    pub(super) row: u64,
    pub(super) damage: Option<Damage>,
}

/// A quoted cell that does not end as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Unclosed,
    /// Text follows the closing quote, which is on this line.
    TextAfterQuote {
        row: u64,
    },
}

impl<'t> Records<'t> {
    /// From byte `at` of the text on, which is on this line.
    pub(super) fn new(text: &'t str, delimiter: u8, at: usize, line: u64) -> Self {
        Self { text, delimiter, at, line }
    }

    /// Where the next record begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The line of the next record.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn end_line(&mut self) {
        self.at += if self.slice(self.at, self.at + 2) == "\r\n" { 2 } else { 1 };
        self.line += 1;
    }

    fn ends_cell(&self) -> bool {
        self.peek().is_none_or(|byte| byte == self.delimiter || matches!(byte, b'\r' | b'\n'))
    }

    fn cell(&mut self) -> Cell<'t> {
        let row = self.line;
        if self.peek() == Some(b'"') {
            let (text, damage) = self.quoted();
            return Cell { text, row, damage };
        }
        Cell { text: Cow::Borrowed(self.bare()), row, damage: None }
    }

    /// Up to the end of the cell, whatever quotes are in it.
    fn bare(&mut self) -> &'t str {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = memchr::memchr3(self.delimiter, b'\r', b'\n', rest).unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        self.slice(start, self.at)
    }

    fn quoted(&mut self) -> (Cow<'t, str>, Option<Damage>) {
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let quote = memchr::memchr(b'"', rest);
            let part = self.slice(self.at, self.at + quote.unwrap_or(rest.len()));
            self.line += line_breaks(part);
            text += part;
            self.at += part.len();
            if quote.is_none() {
                return (text, Some(Damage::Unclosed));
            }
            self.at += 1;
            if self.peek() != Some(b'"') {
                break;
            }
            text += "\"";
            self.at += 1;
        }
        let closed = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) && !self.ends_cell() {
            self.at += 1;
        }
        if self.ends_cell() {
            return (text, None);
        }
        self.at = closed;
        text += self.bare();
        (text, Some(Damage::TextAfterQuote { row: self.line }))
    }
}

impl<'t> Iterator for Records<'t> {
    type Item = Record<'t>;

    fn next(&mut self) -> Option<Record<'t>> {
        while matches!(self.peek(), Some(b'\r' | b'\n')) {
            self.end_line();
        }
        self.peek()?;
        let mut record = Record { row: self.line, start: self.at, cells: Vec::new() };
        loop {
            record.cells.push(self.cell());
            match self.peek() {
                Some(byte) if byte == self.delimiter => self.at += 1,
                Some(_) => {
                    self.end_line();
                    return Some(record);
                }
                None => return Some(record),
            }
        }
    }
}

/// How many lines end in a text.
pub(super) fn line_breaks(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes);
    let ends = ends.filter(|at| bytes.get(*at) == Some(&b'\n') || bytes.get(at + 1) != Some(&b'\n'));
    ends.count() as u64
}

/// The lines of a text, by LF, CR LF or CR.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}
