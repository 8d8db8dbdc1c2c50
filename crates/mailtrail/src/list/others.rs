//! Addresses of one recipient in another one's cells.

use std::collections::HashSet;

use super::{List, Row};
use crate::protect::normalise;

impl List {
    /// Rows with a cell, outside the column of addresses, that contains another recipient's address: a sign that rows were put
    /// together, and mail would show one recipient's address to another.
    #[must_use]
    pub fn rows_with_others_addresses(&self) -> Vec<u64> {
        let mut all: Option<HashSet<String>> = None;
        let mut found = Vec::new();
        for row in self.rows() {
            let mut cells =
                row.cells().enumerate().filter(|(column, cell)| *column != self.email && cell.contains('@'));
            let Some(first) = cells.next() else { continue };
            let all = all.get_or_insert_with(|| self.rows().map(|row| normalise(row.email())).collect());
            let own = normalise(row.email());
            let names_another = |cell: &str| words(cell).map(normalise).any(|word| word != own && all.contains(&word));
            if std::iter::once(first).chain(cells).any(|(_, cell)| names_another(cell)) {
                found.push(Row::number(row));
            }
        }
        found
    }
}

/// What may be addresses: texts between blanks and the signs that no address has.
fn words(cell: &str) -> impl Iterator<Item = &str> {
    let is_around = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':');
    cell.split(is_around).map(|word| word.trim_matches(['"', '\'', '.'])).filter(|word| word.contains('@'))
}
