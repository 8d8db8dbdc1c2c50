//! A table for people: plain columns, fitted to the terminal.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::visible::visible;
use super::{Cell, width};

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
            table.add_row(cells.iter().map(|cell| visible(&cell.plain().unwrap_or_default()).into_owned()));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            let is_number = self
                .rows
                .iter()
                .all(|cells| matches!(cells.get(index), Some(Cell::Integer(_) | Cell::Real(_) | Cell::Null) | None));
            if is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.rows.clear();
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
