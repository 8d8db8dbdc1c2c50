//! A table for people: plain columns, fitted to the terminal.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};

use super::{Cell, style, width};
use crate::show::visible;

/// So many rows are fitted to each other; memory is bounded by it.
const BLOCK: usize = 5_000;

/// The rows so far: a table needs all of them before the first line.
#[derive(Default)]
pub(super) struct Rows {
    heading: bool,
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    pub(super) fn with_heading(&mut self) {
        self.heading = true;
    }

    pub(super) fn add(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Whether it is time to [`print`](Self::print).
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= BLOCK
    }

    /// Prints the rows so far and forgets them.
    pub(super) fn print(&mut self, out: &mut impl Write, columns: &[String]) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(NOTHING);
        if std::mem::take(&mut self.heading) {
            table.set_header(columns.iter().map(|name| visible(&name.to_uppercase()).into_owned()));
        }
        if let Some(width) = width() {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for cells in &self.rows {
            table
                .add_row(cells.iter().map(|cell| visible(&cell.plain(style::zone()).unwrap_or_default()).into_owned()));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            let cells = || self.rows.iter().filter_map(|cells| cells.get(index));
            if cells().all(|cell| matches!(cell, Cell::Integer(_) | Cell::Real(_) | Cell::Null)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            // A time or a number broken into two lines is none any more.
            if !cells().any(|cell| matches!(cell, Cell::Text(_) | Cell::List(_) | Cell::Json(_))) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self.rows.clear();
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
