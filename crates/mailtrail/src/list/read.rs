//! Reading a list: from CSV with a heading, or from addresses alone.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

use csv::ByteRecord;

use super::encoding::{self, Bytes, Encoding, EncodingChoice};
use super::problem::{Fault, ListError, Problem, Problems};
use super::{List, address, original};
use crate::config::nearest;
use crate::protect::normalise;

/// Headings of the column of addresses, lower case.
const EMAIL: [&str; 4] = ["email", "e-mail", "mail", "メールアドレス"];

/// How to read a list.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// The bytes' encoding.
    pub encoding: EncodingChoice,
    /// The column of addresses, in any case; `None`: `email`, `e-mail`, `mail` or `メールアドレス`.
    pub email_column: Option<String>,
}

impl List {
    /// Reads CSV with a heading; comma, semicolon or tab by the heading. Blank rows are skipped, rows that cannot be mailed
    /// are [problems](List::problems), an address that stood above already is a [duplicate](List::duplicates).
    ///
    /// # Errors
    /// When the file as a whole cannot be used.
    pub fn read(mut reader: impl Read, options: &ListOptions) -> Result<Self, ListError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let Bytes { bytes, encoding } = encoding::open(bytes, options.encoding).ok_or(ListError::Utf16)?;
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter(&bytes))
            .from_reader(bytes.as_slice());
        let mut record = ByteRecord::new();

        let mut columns = Vec::new();
        while columns.is_empty() {
            if !read_record(&mut csv, &mut record)? {
                return Err(ListError::Empty);
            }
            let row = row_number(&record, &bytes);
            columns = decoded(&record, row, encoding)?
                .iter()
                .map(|name| original(name).trim().to_owned())
                .collect::<Vec<_>>();
            if columns.iter().all(String::is_empty) {
                columns.clear();
            }
        }
        let email = email_column(&columns, options.email_column.as_deref())?;
        let mut builder = Builder::new(columns, email, encoding);
        while read_record(&mut csv, &mut record)? {
            let row = row_number(&record, &bytes);
            let cells = decoded(&record, row, encoding)?;
            if !cells.iter().all(|cell| cell.trim().is_empty()) {
                builder.add(row, &cells);
            }
        }
        Ok(builder.list)
    }

    /// A list of addresses alone, one a line; blank ones are skipped.
    pub fn of_addresses<A: AsRef<str>>(addresses: impl IntoIterator<Item = A>) -> Self {
        let mut builder = Builder::new(vec!["email".to_owned()], 0, Encoding::Utf8);
        for (row, line) in (1..).zip(addresses) {
            if !line.as_ref().trim().is_empty() {
                builder.add(row, &[Cow::Borrowed(line.as_ref())]);
            }
        }
        builder.list
    }
}

struct Builder {
    list: List,
    seen: HashSet<String>,
}

impl Builder {
    fn new(columns: Vec<String>, email: usize, encoding: Encoding) -> Self {
        let list = List {
            columns,
            email,
            text: String::new(),
            ends: Vec::new(),
            numbers: Vec::new(),
            problems: Problems::default(),
            duplicates: Vec::new(),
            encoding,
        };
        Self { list, seen: HashSet::new() }
    }

    fn add(&mut self, row: u64, cells: &[Cow<'_, str>]) {
        let list = &mut self.list;
        let expected = list.columns.len();
        if cells.len() != expected {
            let fault = Fault::Cells { found: cells.len(), expected };
            list.problems.note(Problem { row, column: None, fault });
            return;
        }
        let address = cells.get(list.email).map(|cell| original(cell).trim()).unwrap_or_default();
        if let Err(fault) = address::judge(address) {
            let column = list.columns.get(list.email).cloned();
            list.problems.note(Problem { row, column, fault: fault.into() });
            return;
        }
        if !self.seen.insert(normalise(address)) {
            list.duplicates.push(row);
            return;
        }
        for (column, cell) in cells.iter().enumerate() {
            list.text.push_str(if column == list.email { address } else { original(cell) });
            list.ends.push(list.text.len());
        }
        list.numbers.push(row);
    }
}

fn read_record(csv: &mut csv::Reader<&[u8]>, record: &mut ByteRecord) -> Result<bool, ListError> {
    let row = csv.position().line();
    csv.read_byte_record(record).map_err(|_| ListError::Csv { row })
}

/// The line a record begins on: the reader counts from the end of the record before, blank lines included.
fn row_number(record: &ByteRecord, bytes: &[u8]) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let rest = usize::try_from(position.byte()).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    position.line() + u64::try_from(blank.count()).unwrap_or_default()
}

fn decoded(record: &ByteRecord, row: u64, encoding: Encoding) -> Result<Vec<Cow<'_, str>>, ListError> {
    let cell = |(column, cell)| {
        encoding::decode(cell, encoding).ok_or(ListError::Undecodable { row, column: column + 1, encoding })
    };
    record.iter().enumerate().map(cell).collect()
}

/// The one that stands most often in the first line that is not blank, outside quotes.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    let heading = bytes.iter().skip_while(|byte| matches!(byte, b'\r' | b'\n'));
    for byte in heading {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            byte if !quoted => counts.iter_mut().filter(|(delimiter, _)| delimiter == byte).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    // The first of equals wins: `max_by_key` would take the last.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

fn email_column(columns: &[String], wanted: Option<&str>) -> Result<usize, ListError> {
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
        None => names(&|name| EMAIL.contains(&name))?,
    };
    found.ok_or_else(|| {
        let wanted = wanted.unwrap_or("email").to_owned();
        let nearest = nearest(&wanted, columns.iter().map(String::as_str)).map(str::to_owned);
        ListError::NoColumn { wanted, nearest }
    })
}
