//! Who is to be mailed: a CSV list with a heading, addresses a line, or whole messages a line.
//!
//! Every command, the page and the API read lists here. Two kinds of faults are kept apart: a [`Problem`] costs its own row, and the
//! caller may skip it; a [`ListError`], such as a cell that leaves open where its row ends, ends the reading.
//!
//! Nothing here shows an address: an [`Address`] has neither `Debug` nor `Display`, and errors name row and column.

mod address;
mod cell;
mod characters;
mod detect;
mod encoding;
mod listed;
mod messages;
mod others;
mod problem;
mod read;
mod records;
mod table;

pub use address::{Address, AddressFault, LocalParts};
pub(crate) use cell::guarded;
pub use cell::original;
pub use encoding::{Encoding, EncodingChoice};
pub use listed::Listed;
pub use messages::{Message, MessageError, MessageFault, Messages};
pub use problem::{BoundaryFault, BoundaryProblem, BoundaryProblems, Fault, ListError, Problem, Problems, Reading};
pub use table::{ListOptions, ListTable, Person, TableRow};

use crate::protect::{EmailHash, KeyRing};

/// A list: each address once, in the order of the file.
///
/// All cells stand in one text, so that a hundred thousand rows cost little more than their file.
pub struct List {
    columns: Vec<String>,
    email: usize,
    text: String,
    /// Where each cell ends in `text`, row by row.
    ends: Vec<usize>,
    /// The file's line each row begins on, from 1.
    numbers: Vec<u64>,
    problems: Problems,
    duplicates: Vec<u64>,
    encoding: Encoding,
}

impl List {
    /// The names of all columns, in order, the addresses' among them; a column without a heading has an empty name.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Which of [`columns`](Self::columns) holds the addresses.
    #[must_use]
    pub fn email_column(&self) -> usize {
        self.email
    }

    /// The index of the column with exactly this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// How many rows can be mailed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether nobody can be mailed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The row with this index, from 0; `None` beyond the last.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        (index < self.len()).then_some(Row { list: self, index })
    }

    /// All rows in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { list: self, index })
    }

    /// The rows that cannot be mailed.
    #[must_use]
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The file's lines of rows whose address stood above already; they count as not there.
    #[must_use]
    pub fn duplicates(&self) -> &[u64] {
        &self.duplicates
    }

    /// How the file was read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Each row's hashes, in order: under the current key first, then under the previous ones.
    pub fn hashes<'l>(&'l self, keys: &'l KeyRing) -> impl Iterator<Item = Vec<EmailHash>> + 'l {
        self.rows().map(|row| keys.lookup_hashes(row.email()))
    }
}

/// One recipient of a [`List`].
#[derive(Clone, Copy)]
pub struct Row<'l> {
    list: &'l List,
    index: usize,
}

impl<'l> Row<'l> {
    /// Its place in the list, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// The line of the file it begins on, from 1: what people see in an editor.
    #[must_use]
    pub fn number(self) -> u64 {
        self.list.numbers.get(self.index).copied().unwrap_or_default()
    }

    /// Whom to mail.
    #[must_use]
    pub fn address(self) -> Address {
        Address::known(self.email())
    }

    /// The cell of a column, by the column's index; empty beyond the last.
    #[must_use]
    pub fn cell(self, column: usize) -> &'l str {
        if column >= self.list.columns.len() {
            return "";
        }
        let at = self.index * self.list.columns.len() + column;
        let end = self.list.ends.get(at).copied().unwrap_or_default();
        let start = at.checked_sub(1).and_then(|before| self.list.ends.get(before)).copied().unwrap_or_default();
        self.list.text.get(start..end).unwrap_or_default()
    }

    /// All cells in the order of the columns.
    pub fn cells(self) -> impl Iterator<Item = &'l str> {
        (0..self.list.columns.len()).map(move |column| self.cell(column))
    }

    pub(crate) fn email(self) -> &'l str {
        self.cell(self.list.email)
    }
}

#[cfg(test)]
mod tests;
