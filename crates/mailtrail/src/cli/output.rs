//! What a question prints: one row after another, as a table for people, as CSV for spreadsheets, or as one JSON object a line.
//!
//! Rows go to stdout and nothing else does; what is said about them goes to stderr ([`note`]).

pub(super) mod csv;
mod json;
mod table;
pub(super) mod visible;

use std::io::{self, IsTerminal as _, Write};

use super::time;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// A table for people
    #[default]
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values, safe to open in a spreadsheet
    Csv,
}

/// `--format` and `--raw-csv`.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct OutputArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// CSV without the ' that is put before cells which a spreadsheet would take for a formula (= + - @, tab, CR)
    #[arg(long)]
    pub(super) raw_csv: bool,
    /// Whether the rows go to a terminal.
    #[arg(skip = io::stdout().is_terminal())]
    pub(super) terminal: bool,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Real(f64),
    Bool(bool),
    /// µs since the epoch; printed as RFC 3339, UTC.
    Time(i64),
    List(Vec<String>),
    /// JSON as text, printed as JSON where the format has it.
    Json(String),
}

impl Cell {
    pub(super) fn text(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }

    /// The cell as one text; `None` for null.
    fn plain(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) | Self::Json(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Bool(yes) => yes.to_string(),
            Self::Time(micros) => time::rfc3339(*micros),
            Self::List(items) => serde_json::to_string(items).unwrap_or_default(),
        })
    }
}

/// Where rows go.
pub(super) struct Sheet<W: Write> {
    out: W,
    columns: Vec<String>,
    shape: Shape,
}

enum Shape {
    Table(table::Rows),
    Json,
    Csv(csv::Manner),
}

impl<W: Write> Sheet<W> {
    /// Begins: CSV has its heading before the first row.
    pub(super) fn begin(mut out: W, args: OutputArgs, columns: &[&str]) -> io::Result<Self> {
        if args.format == Format::Csv {
            csv::heading(&mut out, columns, args.into())?;
        }
        let mut sheet = Self::go_on(out, args, columns);
        if let Shape::Table(rows) = &mut sheet.shape {
            rows.with_heading();
        }
        Ok(sheet)
    }

    /// Begins in the middle, without a heading.
    pub(super) fn go_on(out: W, args: OutputArgs, columns: &[&str]) -> Self {
        let shape = match args.format {
            Format::Table => Shape::Table(table::Rows::default()),
            Format::Json => Shape::Json,
            Format::Csv => Shape::Csv(args.into()),
        };
        Self { out, columns: columns.iter().map(|name| (*name).to_owned()).collect(), shape }
    }

    /// Adds a row, one cell a column. A table is printed by blocks, everything else at once.
    pub(super) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        match &mut self.shape {
            Shape::Table(rows) => {
                rows.add(cells);
                if rows.is_full() { rows.print(&mut self.out, &self.columns) } else { Ok(()) }
            }
            Shape::Json => json::line(&mut self.out, &self.columns, &cells),
            Shape::Csv(manner) => csv::line(&mut self.out, &cells, *manner),
        }
    }

    /// Ends, and gives the writer back.
    pub(super) fn end(mut self) -> io::Result<W> {
        if let Shape::Table(rows) = &mut self.shape {
            rows.print(&mut self.out, &self.columns)?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Says something about an answer, on stderr.
pub(super) fn note(text: &str) {
    // Nobody is left to tell where stderr itself is gone.
    let _told = writeln!(io::stderr().lock(), "{text}");
}

/// How wide a table may be; `None`: as wide as it likes.
fn width() -> Option<u16> {
    if !io::stdout().is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests;
