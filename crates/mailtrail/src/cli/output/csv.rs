//! CSV that a spreadsheet can open: a cell that it would take for a formula gets a `'` before it.
//!
//! Readers undo exactly that: a leading `'` followed by one of `= + - @`, tab or CR is not part of the value.

use std::io::{self, Write};

use super::Cell;

pub(super) fn heading(out: &mut impl Write, columns: &[&str]) -> io::Result<()> {
    write(out, columns.iter().map(|column| (*column).to_owned()))
}

pub(super) fn line(out: &mut impl Write, cells: &[Cell], raw: bool) -> io::Result<()> {
    write(
        out,
        cells.iter().map(|cell| {
            let text = cell.plain().unwrap_or_default();
            // Numbers of our own are numbers, negative ones too.
            let is_text = matches!(cell, Cell::Text(_) | Cell::Json(_) | Cell::List(_));
            if is_text && !raw { neutral(text) } else { text }
        }),
    )
}

/// No formula, whatever it begins with.
pub(in crate::cli) fn neutral(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

fn write(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells).map_err(io::Error::other)?;
    out.write_all(&line.into_inner().map_err(|error| error.into_error())?)
}
