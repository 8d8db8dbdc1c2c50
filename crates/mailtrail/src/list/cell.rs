//! The `'` that our CSV puts before what a spreadsheet would take for a formula, and its removal by readers.
//!
//! A spreadsheet begins a cell at the cell's start, and, where its locale separates cells by semicolons, also after each semicolon
//! and line break of our cells. At each of these positions one `'` is put before a formula, and before a `'` that stands
//! before one, so that reading gives back exactly what was written.

use std::borrow::Cow;

/// Signs that begin a formula; Japanese Excel takes the full-width ones, too.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// What spreadsheets drop at the start of a cell, before they look for a sign.
const DROPPED: [char; 3] = ['\t', '\r', '\n'];

/// After these a spreadsheet may begin another cell.
const SEPARATORS: [char; 3] = [';', '\r', '\n'];

/// The cell with a `'` before whatever would be a formula.
pub(crate) fn guarded(cell: &str) -> Cow<'_, str> {
    map_segments(cell, |out, segment| {
        out.push('\'');
        out.push_str(segment);
    })
}

/// The cell without the `'` of [`guarded`]: exactly one where a formula follows.
#[must_use]
pub fn original(cell: &str) -> Cow<'_, str> {
    map_segments(cell, |out, segment| out.push_str(segment.strip_prefix('\'').unwrap_or(segment)))
}

/// Copies the cell, with `change` applied to each segment that is a formula behind its `'`s.
fn map_segments(cell: &str, change: impl Fn(&mut String, &str)) -> Cow<'_, str> {
    let segments = || {
        let mut start = 0;
        cell.split_inclusive(SEPARATORS).map(move |segment| {
            let at_start = start == 0;
            start += segment.len();
            (segment, is_formula(segment.trim_start_matches('\''), at_start))
        })
    };
    if !segments().any(|(_, formula)| formula) {
        return Cow::Borrowed(cell);
    }
    let mut out = String::with_capacity(cell.len() + 2);
    for (segment, formula) in segments() {
        if formula { change(&mut out, segment) } else { out.push_str(segment) }
    }
    Cow::Owned(out)
}

fn is_formula(text: &str, at_start: bool) -> bool {
    (at_start && text.starts_with(DROPPED)) || text.trim_start_matches([' ', '\t', '"']).starts_with(SIGNS)
}
