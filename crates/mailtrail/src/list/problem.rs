//! What is wrong with a list, by row and column, never by content.

use std::fmt;

use super::AddressFault;

/// How many problems are shown.
const SHOWN: usize = 20;

/// Why a list cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The file cannot be read.
    #[error("the list cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Nothing in it.
    #[error("the list is empty: its first line names the columns, one of them email")]
    Empty,
    /// The first line holds an address.
    #[error(
        "the list's first line holds an address where the columns' names should stand: add a line such as email,name"
    )]
    NoHeading,
    /// No column of addresses.
    #[error("the list has no column {wanted}{}: name the column of addresses with --email-column", meant(.nearest.as_deref()))]
    NoColumn {
        /// Looked for.
        wanted: String,
        /// The most similar column.
        nearest: Option<String>,
    },
    /// Two columns could both be meant.
    #[error("columns {first} and {second} of the list both hold the addresses: name the right one with --email-column")]
    TwoColumns {
        /// Column number from 1.
        first: usize,
        /// Column number from 1.
        second: usize,
    },
    /// Two columns share a name.
    #[error("columns {first} and {second} of the list have the same name: rename one")]
    RepeatedColumn {
        /// Column number from 1.
        first: usize,
        /// Column number from 1.
        second: usize,
    },
    /// A byte that the encoding does not have.
    #[error(
        "row {row}, column {column} of the list is not {encoding}: save it as UTF-8 (Excel: CSV UTF-8), or name its \
         encoding with --encoding"
    )]
    Undecodable {
        /// The file's line, from 1.
        row: u64,
        /// Column number from 1.
        column: usize,
        /// What it was read as.
        encoding: super::Encoding,
    },
    /// UTF-16 that is cut or broken.
    #[error("the list begins as UTF-16 but is not: save it as UTF-8 (Excel: CSV UTF-8)")]
    Utf16,
    /// The CSV cannot be cut into cells.
    #[error("row {row} of the list cannot be read as CSV")]
    Csv {
        /// The file's line, from 1.
        row: u64,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More or fewer cells than the heading.
    #[error("{found} cells where the heading has {expected}")]
    Cells {
        /// In this row.
        found: usize,
        /// In the heading.
        expected: usize,
    },
    /// No address to mail.
    #[error(transparent)]
    Address(#[from] AddressFault),
}

/// A row that cannot be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's line, from 1.
    pub row: u64,
    /// The column's name, where one cell is to blame.
    pub column: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// The problems of a list, in the order of its rows.
#[derive(Debug, Clone, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn note(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.0
    }

    /// The first twenty.
    #[must_use]
    pub fn shown(&self) -> &[Problem] {
        self.0.get(..SHOWN).unwrap_or(&self.0)
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.len()
    }
}
