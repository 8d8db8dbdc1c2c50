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
    /// Bytes that the encoding does not have.
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
    /// Rows of two encodings.
    #[error(
        "row {row}, column {column} of the list is not UTF-8, but other rows are: the file is put together from several \
         encodings. Save each part as UTF-8 first (Excel: CSV UTF-8)"
    )]
    Mixed {
        /// The file's line, from 1.
        row: u64,
        /// Column number from 1.
        column: usize,
    },
    /// No encoding, or more than one, makes sense of the text.
    #[error("the list is not UTF-8, and its encoding is not certain{}: save it as UTF-8 (Excel: CSV UTF-8), or name its encoding with --encoding", samples(.readings))]
    Unclear {
        /// What it may be.
        readings: Vec<Reading>,
    },
    /// UTF-16 that does not say so.
    #[error(
        "the list looks like {encoding} without a byte order mark: save it as UTF-8 (Excel: CSV UTF-8), or name its \
         encoding with --encoding"
    )]
    Utf16WithoutMark {
        /// By the places of its NUL bytes.
        encoding: super::Encoding,
    },
    /// NUL bytes.
    #[error("the list is not a text file: it contains NUL bytes. Save it as CSV")]
    Binary,
    /// An Excel file.
    #[error("the list is an Excel workbook: save it as CSV UTF-8")]
    Workbook,
    /// Quotes or line breaks leave open where rows end.
    #[error("{0}")]
    Boundaries(BoundaryProblems),
    /// Rows that cannot be used, where every row has to be.
    #[error("{0}")]
    Rows(Problems),
}

/// How an encoding reads a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The encoding.
    pub encoding: super::Encoding,
    /// The beginning of a cell; `None` where only addresses differ.
    pub sample: Option<String>,
}

fn samples(readings: &[Reading]) -> String {
    let one = |reading: &Reading| match &reading.sample {
        Some(sample) => format!("“{sample}” as {}", reading.encoding),
        None => reading.encoding.to_string(),
    };
    let all: Vec<String> = readings.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!(" (a cell reads {})", all.join(", ")) }
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

/// A cell that leaves open where its row ends. Rows behind it cannot be trusted, so nothing skips it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryProblem {
    /// The file's line that the cell begins on, from 1.
    pub row: u64,
    /// The column's name, or its number where it has none.
    pub column: String,
    /// What is wrong.
    pub fault: BoundaryFault,
}

/// What is wrong with a cell's quotes or line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundaryFault {
    /// A quote without its other one.
    #[error("the quote at the start of this cell is never closed")]
    Unclosed,
    /// Text between a closing quote and the cell's end.
    #[error("text follows the quote in row {row} that closes this cell")]
    TextAfterQuote {
        /// Where.
        row: u64,
    },
    /// An address over several lines.
    #[error("there is a line break in this cell, which should hold one address")]
    LineBreakInAddress,
    /// Several lines, of which one is a row.
    #[error("this cell has several lines, and its line in row {row} reads as a row with an address")]
    HoldsRow {
        /// Where.
        row: u64,
    },
    /// Several lines, more than SendGrid takes.
    #[error("this cell has several lines and more than the {LONGEST_CELL} bytes that SendGrid accepts")]
    Long,
}

/// What SendGrid accepts as one recipient's substitutions, bytes.
pub(super) const LONGEST_CELL: usize = 10_000;

impl BoundaryFault {
    /// Whether the cell may be meant so.
    fn may_be_accepted(self) -> bool {
        matches!(self, Self::HoldsRow { .. } | Self::Long)
    }
}

/// All cells that leave open where rows end; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryProblems(pub(super) Vec<BoundaryProblem>);

impl BoundaryProblems {
    /// In the order of the file.
    #[must_use]
    pub fn all(&self) -> &[BoundaryProblem] {
        &self.0
    }
}

impl fmt::Display for BoundaryProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not certain where the rows of the list end, so none of them is used: ")?;
        for (n, problem) in self.0.iter().take(SHOWN).enumerate() {
            let BoundaryProblem { row, column, fault } = problem;
            write!(f, "{}row {row}, column {column}: {fault}", if n == 0 { "" } else { "; " })?;
        }
        let more = self.0.len().saturating_sub(SHOWN);
        if more > 0 {
            write!(f, "; and {more} more")?;
        }
        f.write_str(". Close or remove the quote")?;
        if self.0.iter().all(|problem| problem.fault.may_be_accepted()) {
            f.write_str(", or accept such cells with --allow-multiline-addresses")?;
        }
        Ok(())
    }
}

/// Rows that cannot be used, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        write!(f, "{total} row{} of the list cannot be used: ", if total == 1 { "" } else { "s" })?;
        for (n, problem) in self.shown().iter().enumerate() {
            write!(f, "{}{problem}", if n == 0 { "" } else { "; " })?;
        }
        if total > SHOWN {
            write!(f, "; and {} more", total - SHOWN)?;
        }
        Ok(())
    }
}
