//! What a question prints: one row after another, as a table for people, as CSV for spreadsheets, or as one JSON object a line.
//!
//! Rows go to stdout and nothing else does; what is said about them goes to stderr ([`note`]).

mod table;

use std::io::{self, IsTerminal as _, Write};

use super::style;
pub(super) use crate::show::Cell;
use crate::show::{csv, json};

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

/// `--format`, `--raw-csv` and `--bom`.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct OutputArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// CSV without the ' that is put before cells which a spreadsheet would take for a formula (= + - @, tab, line break)
    #[arg(long)]
    pub(super) raw_csv: bool,
    /// Begin CSV with the mark by which a spreadsheet knows UTF-8 ([output] csv_bom)
    #[arg(long)]
    pub(super) bom: bool,
    /// Whether the rows go to a terminal.
    #[arg(skip = io::stdout().is_terminal())]
    pub(super) terminal: bool,
}

impl From<OutputArgs> for csv::Manner<'static> {
    fn from(args: OutputArgs) -> Self {
        let bom = args.bom || style::csv_bom();
        Self { raw: args.raw_csv, terminal: args.terminal, zone: style::zone(), bom }
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
    Csv {
        manner: csv::Manner<'static>,
        /// Cells that Excel would cut.
        too_long: usize,
    },
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
            Format::Csv => Shape::Csv { manner: args.into(), too_long: 0 },
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
            Shape::Csv { manner, too_long } => {
                *too_long += csv::line(&mut self.out, &cells, *manner)?;
                Ok(())
            }
        }
    }

    /// Ends, and gives the writer back.
    pub(super) fn end(mut self) -> io::Result<W> {
        if let Shape::Table(rows) = &mut self.shape {
            rows.print(&mut self.out, &self.columns)?;
        }
        if let Shape::Csv { too_long: too_long @ 1.., .. } = self.shape {
            let most = csv::EXCEL_CELL;
            note(&format!(
                "note: {too_long} cells are longer than the {most} characters that Excel takes; it cuts them"
            ));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Says something about an answer, on stderr.
pub(super) fn note(text: &str) {
    crate::log::write_line(text);
}

/// What was written, unless the reader of stdout has closed it: for output that is not the command's purpose, so that the command goes on
/// and its exit code tells what became of it.
pub(super) fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
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
