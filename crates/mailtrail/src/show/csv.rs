//! CSV that a spreadsheet can open: whatever it would take for a formula gets a `'` before it (`list::guarded`).
//!
//! On a terminal, what would steer it is shown as in a table; a file gets the text as it is.
//!
//! Readers undo exactly that (`list::original`).

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::Cell;
use crate::list::guarded;
use crate::visible::visible;

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
        let text = if self.raw { text } else { guarded(&text).into_owned() };
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

/// Most characters (UTF-16 units) that Excel takes in a cell; it cuts off the rest.
pub const EXCEL_CELL: usize = 32_767;

/// A row. Returns how many of its cells are longer than [`EXCEL_CELL`].
///
/// # Errors
/// When it cannot be written.
pub fn line(out: &mut impl Write, cells: &[Cell], manner: Manner<'_>) -> io::Result<usize> {
    let mut too_long = 0;
    write(
        out,
        cells.iter().map(|cell| {
            let text = cell.plain(manner.zone).unwrap_or_default();
            // Numbers of our own are numbers, negative ones too.
            let is_text = matches!(cell, Cell::Text(_) | Cell::Json(_) | Cell::List(_));
            let text = if is_text { manner.text(text) } else { text };
            too_long += usize::from(text.len() > EXCEL_CELL && text.encode_utf16().count() > EXCEL_CELL);
            text
        }),
    )?;
    Ok(too_long)
}

fn write(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells).map_err(io::Error::other)?;
    out.write_all(&line.into_inner().map_err(|error| error.into_error())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::list::{List, ListOptions};

    #[test]
    fn cells_that_excel_cuts_are_counted() {
        let zone = TimeZone::UTC;
        let manner = Manner { raw: false, terminal: false, zone: &zone, bom: false };
        let of = |length: usize| {
            line(&mut Vec::new(), &[Cell::Text("あ".repeat(length)), Cell::Integer(1)], manner).unwrap()
        };
        assert_eq!([of(EXCEL_CELL), of(EXCEL_CELL + 1)], [0, 1]);
    }

    proptest! {
    #[test]
    fn a_list_comes_back_as_it_was_written(rows in prop::collection::vec(["[=+@＝＋－＠'\",;\t\r\n あa-]{0,6}", "\\PC{0,5}"], 1..8)) {
        let zone = TimeZone::UTC;
        let manner = Manner { raw: false, terminal: false, zone: &zone, bom: false };
        let mut file = Vec::new();
        heading(&mut file, &["email", "x", "y"], manner).unwrap();
        for (n, [x, y]) in rows.iter().enumerate() {
            let cells = [format!("a{n}@example.com"), x.clone(), y.clone()].map(Cell::Text);
            line(&mut file, &cells, manner).unwrap();
        }
        let list = List::read(file.as_slice(), &ListOptions { allow_multiline_addresses: true, ..ListOptions::default() }).unwrap();
        prop_assert_eq!(list.len(), rows.len());
        for (row, [x, y]) in list.rows().zip(&rows) {
            prop_assert_eq!([row.cell(1), row.cell(2)], [x.as_str(), y.as_str()]);
        }
    }
    }
}
