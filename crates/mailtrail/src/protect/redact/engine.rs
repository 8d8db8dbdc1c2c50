//! Runs the finders over a text and over everything that can be decoded from it.
//!
//! Each text is looked at as it is, with its escapes undone, with quoted-printable undone, and with each run of hex or base64
//! digits decoded; so is what comes out, to a fixed depth. What is found is mapped back step by step, so that of an
//! encoded text exactly the digits or escapes that hold it are replaced.
//!
//! The work is bounded: no decoding is longer than its source, the depth is fixed, and the bytes of all decodings together
//! may be at most [`FACTOR`] times those of the text. Only texts made for the purpose come near; what is not looked at
//! then counts as found.

use std::cell::Cell;
use std::ops::Range;

use super::decode::{Decoded, joined, quoted_printable, unescaped};
use super::digits::{each_text, is_base64};
use super::scan::Seen;

/// Decodings within each other.
pub(super) const DEEPEST: u8 = 6;
/// Bytes of all decodings, for a byte of the text.
const FACTOR: usize = 48;
/// Short texts need some in any case.
const AT_LEAST: usize = 1024;

/// The fewest bytes within hex or base64 that are looked at for somebody's address, and for a known one: no address is shorter.
const LONGEST: usize = 8;
const SHORTEST: usize = 6;

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As somebody wrote it, or with escapes undone.
    Written,
    /// Within hex or base64, where anything short is found by chance.
    Hidden,
    /// With quoted-printable undone: `=40` may as well be part of a query.
    QuotedPrintable,
}

/// A text at one step of decoding.
pub(super) struct Layer<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) seen: Seen,
    pub(super) place: Place,
}

/// What is looked for.
pub(super) trait Finder {
    /// The fewest bytes of it.
    fn shortest(&self) -> usize;

    /// Notes where it stands.
    fn find(&self, layer: &Layer<'_>, note: &mut dyn FnMut(Range<usize>));
}

/// Where a finder finds something, in the text or in any decoding of it; in no order, and some of it more than once.
pub(super) fn search(text: &[u8], finder: &impl Finder) -> Vec<Range<usize>> {
    let left = Cell::new(text.len() * FACTOR + AT_LEAST);
    Search { finder, shortest: finder.shortest().clamp(SHORTEST, LONGEST), left }.examine(text, Place::Written, None, 0)
}

struct Search<'f, F> {
    finder: &'f F,
    shortest: usize,
    left: Cell<usize>,
}

impl<F: Finder> Search<'_, F> {
    fn examine(&self, bytes: &[u8], place: Place, from: Option<&Decoded>, depth: u8) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        match self.left.get().checked_sub(bytes.len()) {
            Some(left) => self.left.set(left),
            None => return std::iter::once(0..bytes.len()).collect(),
        }
        let seen = Seen::of(bytes);
        self.finder.find(&Layer { bytes, seen, place }, &mut |range| found.push(range));
        if depth == DEEPEST {
            return found;
        }
        if let Some(plain) = seen.escape().then(|| unescaped(bytes)).flatten() {
            self.inside(&plain, place, depth, &mut found);
        }
        if place != Place::QuotedPrintable
            && let Some(plain) = seen.equals().then(|| quoted_printable(bytes)).flatten()
        {
            self.inside(&plain, Place::QuotedPrintable, depth, &mut found);
        }
        if let Some(lines) = seen.line_end().then(|| joined(bytes, is_base64)).flatten() {
            let mut within = Vec::new();
            self.digits(&lines.bytes, Some(&lines), depth, &mut within);
            found.extend(within.iter().map(|range| lines.to_source(range)));
        }
        self.digits(bytes, from, depth, &mut found);
        found
    }

    fn inside(&self, plain: &Decoded, place: Place, depth: u8, found: &mut Vec<Range<usize>>) {
        let within = self.examine(&plain.bytes, place, Some(plain), depth + 1);
        found.extend(within.iter().map(|range| plain.to_source(range)));
    }

    /// Runs of digits; of a decoded text only those that its source does not have.
    fn digits(&self, bytes: &[u8], from: Option<&Decoded>, depth: u8, found: &mut Vec<Range<usize>>) {
        let is_new = |run: &Range<usize>| from.is_none_or(|from| from.changed(run));
        each_text(bytes, self.shortest, is_new, |hidden| {
            let within = self.examine(&hidden.bytes, Place::Hidden, None, depth + 1);
            found.extend(within.iter().map(|range| hidden.to_source(range)));
        });
    }
}
