//! CSV that a spreadsheet can open: a cell that it would take for a formula gets a `'` before it.
//!
//! On a terminal, what would steer it is shown as in a table; a file gets the text as it is.
//!
//! Readers undo exactly that (`list::original`).

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::Cell;
use super::visible::visible;
use crate::list::FORMULA;

/// What makes a spreadsheet take a file for UTF-8.
const BOM: &str = "\u{feff}";

/// How cells are written.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// Without the `'` before formulas.
    pub raw: bool,
    /// What would steer a terminal is shown.
    pub terminal: bool,
    /// Whose clock times are by.
    pub zone: &'a TimeZone,
    /// Begins with the mark by which a spreadsheet knows UTF-8.
    pub bom: bool,
}

impl Manner<'_> {
    fn text(self, text: String) -> String {
        // First what the spreadsheet would see: a tab at the beginning counts.
        let text = if self.raw { text } else { neutral(text) };
        if self.terminal { visible(&text).into_owned() } else { text }
    }
}

/// The first line.
///
/// # Errors
/// When it cannot be written.
pub fn heading(out: &mut impl Write, columns: &[&str], manner: Manner<'_>) -> io::Result<()> {
    if manner.bom {
        out.write_all(BOM.as_bytes())?;
    }
    write(out, columns.iter().map(|column| manner.text((*column).to_owned())))
}

/// A row.
///
/// # Errors
/// When it cannot be written.
pub fn line(out: &mut impl Write, cells: &[Cell], manner: Manner<'_>) -> io::Result<()> {
    write(
        out,
        cells.iter().map(|cell| {
            let text = cell.plain(manner.zone).unwrap_or_default();
            // Numbers of our own are numbers, negative ones too.
            let is_text = matches!(cell, Cell::Text(_) | Cell::Json(_) | Cell::List(_));
            if is_text { manner.text(text) } else { text }
        }),
    )
}

/// No formula, whatever it begins with.
fn neutral(text: String) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text }
}

fn write(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells).map_err(io::Error::other)?;
    out.write_all(&line.into_inner().map_err(|error| error.into_error())?)
}
