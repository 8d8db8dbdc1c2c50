//! A list as a table: every row and column of it, once it is certain where its rows end.

use std::borrow::Cow;
use std::io::Read;

use super::characters::trim;
use super::encoding::{self, Encoding, EncodingChoice};
use super::problem::{
    BoundaryFault, BoundaryProblem, BoundaryProblems, Fault, LONGEST_CELL, ListError, Problem, Problems,
};
use super::records::{self, Cell, Damage, Record, Records};
use super::{Address, LocalParts, original};
use crate::config::nearest;
use crate::protect::EmailHash;

/// Headings of the column of addresses, lower case.
const EMAIL: [&str; 4] = ["email", "e-mail", "mail", "メールアドレス"];

/// How to read a list.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// The bytes' encoding.
    pub encoding: EncodingChoice,
    /// The column of addresses, in any case; `None`: `email`, `e-mail`, `mail` or `メールアドレス`.
    pub email_column: Option<String>,
    /// Whether cells of several lines are accepted although a line of them reads as a row with an address.
    pub allow_multiline_addresses: bool,
    /// Which addresses are ones.
    pub local_parts: LocalParts,
}

/// A list whose heading is known and whose rows have certain ends.
pub struct ListTable {
    text: String,
    encoding: Encoding,
    delimiter: u8,
    columns: Vec<String>,
    email: usize,
    local_parts: LocalParts,
    /// Where the first row begins, and its line.
    first: (usize, u64),
}

/// One row of a [`ListTable`] that is not blank.
pub struct TableRow<'t> {
    /// The line of the file it begins on, from 1.
    pub number: u64,
    /// As many as the file has there; without what our own CSV puts before formulas.
    pub cells: Vec<Cow<'t, str>>,
}

/// Somebody whom a list names.
pub enum Person {
    /// By address.
    Address(Address),
    /// By the hash of one.
    Hash(EmailHash),
}

/// What a list may hold in its column of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Addresses,
    AddressesOrHashes,
}

impl Values {
    fn has(self, cell: &str) -> bool {
        cell.contains(['@', '＠']) || (self == Self::AddressesOrHashes && EmailHash::parse(cell).is_some())
    }
}

impl ListTable {
    /// Reads CSV; comma, semicolon or tab by the heading, or as Excel's line `sep=` says. A file of one column may lack the
    /// heading.
    ///
    /// # Errors
    /// When the file as a whole cannot be used.
    pub fn read(reader: impl Read, options: &ListOptions) -> Result<Self, ListError> {
        Self::read_values(reader, options, Values::Addresses)
    }

    /// Everybody whom a list of addresses and hashes names; also rows that name nobody.
    ///
    /// # Errors
    /// When the file as a whole cannot be used.
    pub fn read_people(reader: impl Read, options: &ListOptions) -> Result<(Vec<Person>, Problems), ListError> {
        let table = Self::read_values(reader, options, Values::AddressesOrHashes)?;
        let (mut people, mut problems) = (Vec::new(), Problems::default());
        for row in table.rows() {
            let hash = row.cells.get(table.email).and_then(|cell| EmailHash::parse(trim(cell)));
            match hash.map_or_else(|| table.address(&row).map(Person::Address), |hash| Ok(Person::Hash(hash))) {
                Ok(person) => people.push(person),
                Err(problem) => problems.note(problem),
            }
        }
        Ok((people, problems))
    }

    fn read_values(mut reader: impl Read, options: &ListOptions, values: Values) -> Result<Self, ListError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let (text, encoding) = encoding::decode(bytes, options.encoding)?;
        let (start, line, separator) = after_separator_line(&text);
        let delimiter = separator.unwrap_or_else(|| delimiter(text.get(start..).unwrap_or_default()));
        let mut records = Records::new(&text, delimiter, start, line);
        let is_blank = |record: &Record<'_>| record.cells.iter().all(|cell| trim(&cell.text).is_empty());
        let heading = records.find(|record| !is_blank(record)).ok_or(ListError::Empty)?;
        let names: Vec<String> = heading.cells.iter().map(|cell| trim(&original(&cell.text)).to_owned()).collect();
        let first = (heading.start, heading.row);
        let (columns, email, first) = match names.as_slice() {
            [value] if options.email_column.is_none() && values.has(value) => (vec!["email".to_owned()], 0, first),
            _ => {
                let email = email_column(&names, options.email_column.as_deref(), values);
                // A quote that is never closed explains why the heading is not one.
                let email = match (email, &heading.cells) {
                    (Err(_), cells) if cells.iter().any(|cell| cell.damage.is_some()) => 0,
                    (email, _) => email?,
                };
                (names, email, (records.at(), records.line()))
            }
        };
        let mut boundaries = Boundaries { columns: &columns, email, delimiter, options, problems: Vec::new() };
        for record in Records::new(&text, delimiter, heading.start, heading.row) {
            boundaries.check(&record);
        }
        if !boundaries.problems.is_empty() {
            return Err(ListError::Boundaries(BoundaryProblems(boundaries.problems)));
        }
        Ok(Self { encoding, delimiter, columns, email, local_parts: options.local_parts, first, text })
    }

    /// The names of all columns, in order; one without a heading has an empty name.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Which of [`columns`](Self::columns) holds the addresses.
    #[must_use]
    pub fn email_column(&self) -> usize {
        self.email
    }

    /// How the file was read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// All rows in order, but blank ones.
    pub fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        let (start, line) = self.first;
        let rows = Records::new(&self.text, self.delimiter, start, line).map(|record| TableRow {
            number: record.row,
            cells: record.cells.into_iter().map(|cell| without_guard(cell.text)).collect(),
        });
        rows.filter(|row| !row.cells.iter().all(|cell| trim(cell).is_empty()))
    }

    /// A row's address.
    ///
    /// # Errors
    /// When the row has other columns than the heading, or its address is none.
    pub fn address(&self, row: &TableRow<'_>) -> Result<Address, Problem> {
        let (found, expected) = (row.cells.len(), self.columns.len());
        if found != expected {
            return Err(Problem { row: row.number, column: None, fault: Fault::Cells { found, expected } });
        }
        let cell = row.cells.get(self.email).map(Cow::as_ref).unwrap_or_default();
        Address::parse(cell, self.local_parts).map_err(|fault| Problem {
            row: row.number,
            column: self.columns.get(self.email).cloned(),
            fault: fault.into(),
        })
    }
}

fn without_guard(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(text) => original(text),
        Cow::Owned(text) => match original(&text) {
            Cow::Borrowed(same) if same.len() == text.len() => Cow::Owned(text),
            other => Cow::Owned(other.into_owned()),
        },
    }
}

/// Looks for cells that leave open where their row ends.
struct Boundaries<'a> {
    columns: &'a [String],
    email: usize,
    delimiter: u8,
    options: &'a ListOptions,
    problems: Vec<BoundaryProblem>,
}

impl Boundaries<'_> {
    fn check(&mut self, record: &Record<'_>) {
        for (column, cell) in record.cells.iter().enumerate() {
            if let Some(fault) = self.fault(column, cell) {
                let name = self.columns.get(column).filter(|name| !name.is_empty() && !name.contains(['\r', '\n']));
                let column = name.cloned().unwrap_or_else(|| (column + 1).to_string());
                self.problems.push(BoundaryProblem { row: cell.row, column, fault });
            }
        }
    }

    fn fault(&self, column: usize, cell: &Cell<'_>) -> Option<BoundaryFault> {
        match cell.damage {
            Some(Damage::Unclosed) => return Some(BoundaryFault::Unclosed),
            // `"a..b"@docomo.example.jp`, as its mailbox is written.
            Some(Damage::TextAfterQuote { .. }) if column == self.email && is_address(&cell.text) => return None,
            Some(Damage::TextAfterQuote { row }) => return Some(BoundaryFault::TextAfterQuote { row }),
            None if !cell.text.contains(['\r', '\n']) => return None,
            None if column == self.email => return Some(BoundaryFault::LineBreakInAddress),
            None if self.options.allow_multiline_addresses => return None,
            None => {}
        }
        // The first line is no line of the file's.
        let mut lines = (cell.row..).zip(records::lines(&cell.text)).skip(1);
        let row = lines.find(|(_, line)| self.is_row(line));
        match row {
            Some((row, _)) => Some(BoundaryFault::HoldsRow { row }),
            None => (cell.text.len() > LONGEST_CELL).then_some(BoundaryFault::Long),
        }
    }

    fn is_row(&self, line: &str) -> bool {
        let record = Records::new(line, self.delimiter, 0, 1).next();
        let address = record.as_ref().and_then(|record| record.cells.get(self.email));
        address.is_some_and(|cell| is_address(&original(&cell.text)))
    }
}

fn is_address(text: &str) -> bool {
    Address::parse(text, LocalParts::Utf8).is_ok()
}

/// Excel's line `sep=;` is not part of the table: where the rest begins, on which line, and the delimiter that it names.
fn after_separator_line(text: &str) -> (usize, u64, Option<u8>) {
    let line = records::lines(text).next().unwrap_or_default();
    let named = line.trim_matches('"').strip_prefix("sep=").map(str::as_bytes);
    match named {
        Some([delimiter]) if !delimiter.is_ascii_alphanumeric() && *delimiter != b'"' => {
            (line.len(), 1, Some(*delimiter))
        }
        _ => (0, 1, None),
    }
}

/// The one that stands most often in the first line that is not blank, outside quotes.
pub(super) fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    let heading = text.bytes().skip_while(|byte| matches!(byte, b'\r' | b'\n'));
    for byte in heading {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            byte if !quoted => counts.iter_mut().filter(|(delimiter, _)| *delimiter == byte).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    // The first of equals wins: `max_by_key` would take the last.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

fn email_column(columns: &[String], wanted: Option<&str>, values: Values) -> Result<usize, ListError> {
    if columns.iter().any(|name| name.contains(['@', '＠'])) {
        return Err(ListError::NoHeading);
    }
    for (second, name) in columns.iter().enumerate() {
        if let Some(first) = columns.iter().take(second).position(|other| other == name && !name.is_empty()) {
            return Err(ListError::RepeatedColumn { first: first + 1, second: second + 1 });
        }
    }
    let lower: Vec<String> = columns.iter().map(|name| name.to_lowercase()).collect();
    let names = |is: &dyn Fn(&str) -> bool| -> Result<Option<usize>, ListError> {
        let mut found = (0..).zip(&lower).filter(|(_, name)| is(name)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(ListError::TwoColumns { first: first + 1, second: second + 1 }),
            (first, _) => Ok(first),
        }
    };
    let found = match wanted {
        // Exactly as written first, so that every column can be named.
        Some(wanted) => match columns.iter().position(|name| name == wanted.trim()) {
            Some(at) => Some(at),
            None => names(&|name| name == wanted.trim().to_lowercase())?,
        },
        None => match (names(&|name| EMAIL.contains(&name))?, values) {
            (None, Values::AddressesOrHashes) => names(&|name| name == "email_hash")?,
            (found, _) => found,
        },
    };
    found.ok_or_else(|| {
        let wanted = wanted.unwrap_or("email").to_owned();
        let nearest = nearest(&wanted, columns.iter().map(String::as_str)).map(str::to_owned);
        ListError::NoColumn { wanted, nearest }
    })
}
