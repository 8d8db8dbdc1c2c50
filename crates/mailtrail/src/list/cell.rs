//! The mark that our own CSV sets before what a spreadsheet would take for a formula, taken off again.

/// What a spreadsheet takes for the beginning of a formula.
pub(crate) const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The cell without the `'` that our CSV puts before a formula: exactly where one of [`FORMULA`] follows.
#[must_use]
pub fn original(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest,
        _ => cell,
    }
}
