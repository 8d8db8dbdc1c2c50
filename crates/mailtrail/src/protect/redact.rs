//! Addresses out of texts: the event's own in every form that mailers and trackers are known to write it, anybody
//! else's wherever it is shaped like one.
//!
//! The [`engine`] looks at a text and at everything that can be decoded from it; the finders are those of [`find`] and [`own`].
//! What `forget` searches goes the same way.

mod decode;
mod digits;
mod engine;
mod find;
mod own;
mod people;
mod scan;

use std::borrow::Cow;
use std::ops::Range;

use engine::{Finder, Layer, Place, search};
use own::Own;

pub(super) use people::{People, Person};

/// What stands where an address stood.
pub(super) const REPLACEMENT: &str = "[address]";

/// A text of somebody else's, such as an error of an API, without anything that is shaped like an address.
#[must_use]
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    Redactor::new(None).text(text, Kind::Fixed)
}

/// The same of a text about one address: without that address, its local part and everything else that is shaped like an address.
#[must_use]
pub fn without_address<'t>(text: &'t str, own: &str) -> Cow<'t, str> {
    Redactor::new(Some(own)).text(text, Kind::Free)
}

/// Where a text comes from: only where people and servers write freely may a bare local part be an address. A category or
/// run that equals somebody's local part must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reasons, responses, paths of URLs, values of custom args.
    Free,
    /// Keys, categories, run names, status codes, ids.
    Fixed,
}

/// Knows the address of one event.
pub(super) struct Redactor<'e> {
    own: Option<Own<'e>>,
}

impl<'e> Redactor<'e> {
    /// For an event with this address, as sent; `None` for an event without.
    pub(super) fn new(address: Option<&'e str>) -> Self {
        Self { own: address.map(str::trim).filter(|address| !address.is_empty()).map(Own::new) }
    }

    /// The text without addresses.
    pub(super) fn text<'t>(&self, text: &'t str, kind: Kind) -> Cow<'t, str> {
        replaced(text, self.find(text, kind))
    }

    /// Whether the text, white space apart, is one address and nothing else.
    pub(super) fn is_address(&self, text: &str) -> bool {
        let text = text.trim();
        if self.own.as_ref().is_some_and(|own| own.is(text)) {
            return true;
        }
        // What else looks like an address is redacted in place.
        text.contains('@')
            && !text.contains(char::is_whitespace)
            && matches!(&self.find(text, Kind::Fixed)[..], [all] if *all == (0..text.len()))
    }

    /// Whether a number in free text is the local part.
    pub(super) fn is_local_part(&self, number: &str) -> bool {
        self.own.as_ref().is_some_and(|own| own.is_number(number))
    }

    /// Where addresses stand: in order, not overlapping, on character boundaries.
    fn find(&self, text: &str, kind: Kind) -> Vec<Range<usize>> {
        merge(text, search(text.as_bytes(), &OfEvent { own: self.own.as_ref(), kind }))
    }
}

/// Finds the event's own address, and whatever is shaped like one.
struct OfEvent<'r, 'e> {
    own: Option<&'r Own<'e>>,
    kind: Kind,
}

impl Finder for OfEvent<'_, '_> {
    fn shortest(&self) -> usize {
        self.own.map_or(usize::MAX, |own| own.shortest)
    }

    fn find(&self, layer: &Layer<'_>, note: &mut dyn FnMut(Range<usize>)) {
        anybody(layer, note);
        if let Some(own) = self.own {
            own.find(layer, self.kind, note);
        }
    }
}

/// Whatever is shaped like an address.
fn anybody(layer: &Layer<'_>, note: &mut dyn FnMut(Range<usize>)) {
    let is_word = |place| place != Place::QuotedPrintable || is_encoded_word(layer.bytes);
    if layer.seen.sign() && is_word(layer.place) {
        find::shaped(layer.bytes, layer.place != Place::Written, note);
    }
}

/// Whether a header's encoded word stands here, `=?utf-8?Q?jane=40example.com?=`. Elsewhere `=40` is a value more often than an `@`.
fn is_encoded_word(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'?', bytes).any(|at| matches!(bytes[at..], [_, b'q' | b'Q', b'?', ..]))
}

/// The text with the ranges replaced.
fn replaced(text: &str, ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        out.push_str(&text[from..range.start]);
        out.push_str(REPLACEMENT);
        from = range.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Sorted, joined where they touch, widened to character boundaries.
fn merge(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if found.is_empty() {
        return found;
    }
    for range in &mut found {
        while !text.is_char_boundary(range.start) {
            range.start -= 1;
        }
        while !text.is_char_boundary(range.end) {
            range.end += 1;
        }
    }
    found.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
