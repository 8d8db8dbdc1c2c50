//! Addresses out of texts: the event's own in every form that mailers and trackers are known to write it, anybody
//! else's wherever it is shaped like one.
//!
//! A text is scanned once for what any form needs (an `@`, a `%`, a long run of hex or base64 digits); most texts
//! have nothing and stay borrowed. The rest is looked through at each level of decoding ([`decode`]): as it is, with percent
//! escapes and HTML entities undone once, twice, three times. What is found at a level is mapped back to the text as sent.

mod decode;
mod find;
mod scan;
mod search;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use decode::Level;
use scan::Scan;

pub(super) use search::addresses_in;

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

/// The event's own address.
struct Own<'e> {
    trimmed: &'e str,
    /// The local part, where it is telling; an address without `@` as a whole.
    local: Option<&'e str>,
    has_at: bool,
    /// What most events never need.
    forms: OnceCell<Forms>,
    digests: OnceCell<Vec<String>>,
}

/// What is searched for, in every spelling that ASCII case does not cover.
struct Forms {
    whole: Vec<Vec<u8>>,
    /// `local=domain`, as in VERP return paths.
    verp: Vec<Vec<u8>>,
    local: Vec<Vec<u8>>,
}

/// Hex digits of the shortest digest.
const DIGEST_DIGITS: usize = 32;

/// Shorter texts without an `@` would be found by chance in encodings of anything.
const SHORTEST_HIDDEN: usize = 8;

impl<'e> Redactor<'e> {
    /// For an event with this address, as sent; `None` for an event without.
    pub(super) fn new(address: Option<&'e str>) -> Self {
        let own = address.map(str::trim).filter(|address| !address.is_empty()).map(Own::new);
        Self { own }
    }

    /// The fewest digits in a row, hex or base64, that may hide the event's own address.
    fn shortest_run(&self) -> usize {
        self.own.as_ref().map_or(usize::MAX, |own| find::base64_length(own.shortest()).min(DIGEST_DIGITS))
    }

    /// The text without addresses.
    pub(super) fn text<'t>(&self, text: &'t str, kind: Kind) -> Cow<'t, str> {
        let ranges = self.find(text, kind);
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

    /// Whether the text, white space apart, is one address and nothing else.
    pub(super) fn is_address(&self, text: &str) -> bool {
        let text = text.trim();
        if self.own.as_ref().is_some_and(|own| {
            text.eq_ignore_ascii_case(own.trimmed)
                || (!text.is_ascii() && text.to_lowercase() == own.trimmed.to_lowercase())
        }) {
            return true;
        }
        // What else looks like an address is redacted in place.
        text.contains('@')
            && !text.contains(char::is_whitespace)
            && matches!(&self.find(text, Kind::Fixed)[..], [all] if *all == (0..text.len()))
    }

    /// Where addresses stand: in order, not overlapping, on character boundaries.
    fn find(&self, text: &str, kind: Kind) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let shortest_run = self.shortest_run();
        let mut scan = Scan::of(text.as_bytes(), shortest_run);
        let mut level = None;
        loop {
            let (bytes, origin) = match &level {
                None => (text.as_bytes(), None),
                Some(level) => (Level::bytes(level), Some(level)),
            };
            let mut note = |range: Range<usize>| {
                found.push(origin.map_or_else(|| range.clone(), |level| level.to_original(range.clone())));
            };
            if scan.may_hold_shaped() {
                find::shaped(bytes, &mut note);
            }
            if let Some(own) = &self.own {
                own.find(bytes, &scan, kind, &mut note);
            }
            if !scan.may_be_escaped() {
                break;
            }
            let next = match &level {
                None => Level::plain(text).decoded(),
                Some(level) => level.decoded(),
            };
            let Some(next) = next else { break };
            scan = Scan::of(next.bytes(), shortest_run);
            level = Some(next);
        }
        if found.is_empty() { found } else { merge(text, found) }
    }
}

impl<'e> Own<'e> {
    fn new(trimmed: &'e str) -> Self {
        let split = trimmed.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let local = match split {
            // Short common words would redact half of every text.
            Some((local, _)) => (local.chars().count() >= 5
                || local.contains(|c: char| c.is_ascii_digit() || c == '.'))
            .then_some(local),
            None => Some(trimmed),
        };
        Self { trimmed, local, has_at: split.is_some(), forms: OnceCell::new(), digests: OnceCell::new() }
    }

    /// The fewest bytes of any spelling.
    fn shortest(&self) -> usize {
        // In another case a letter may take fewer bytes; half is less than any does.
        if self.trimmed.is_ascii() { self.trimmed.len() } else { self.trimmed.len() / 2 }
    }

    fn forms(&self) -> &Forms {
        self.forms.get_or_init(|| Forms {
            whole: spellings(self.trimmed),
            verp: match self.trimmed.rsplit_once('@') {
                Some((local, domain)) if self.has_at => spellings(&format!("{local}={domain}")),
                _ => Vec::new(),
            },
            local: self.local.map(spellings).unwrap_or_default(),
        })
    }

    /// Looks for what the scan of `bytes` says can be there.
    fn find(&self, bytes: &[u8], scan: &Scan, kind: Kind, note: &mut impl FnMut(Range<usize>)) {
        if let (Some(local), Kind::Free) = (self.local, kind) {
            if local.is_ascii() {
                find::word(bytes, local.as_bytes(), note);
            } else if scan.may_hold_shaped() {
                self.forms().local.iter().for_each(|local| find::word(bytes, local, note));
            }
        }
        if self.has_at && (scan.may_hold_shaped() || scan.equals) {
            let forms = self.forms();
            forms.whole.iter().chain(&forms.verp).for_each(|needle| find::literal(bytes, needle, note));
        }
        let length = self.trimmed.len();
        if !self.has_at && length < SHORTEST_HIDDEN {
            return;
        }
        let shortest = self.shortest();
        if scan.longest_hex >= shortest * 2 {
            self.forms().whole.iter().for_each(|whole| find::in_hex(bytes, whole, note));
        }
        if scan.longest_base64 >= find::base64_length(shortest) {
            self.forms().whole.iter().for_each(|whole| find::in_base64(bytes, whole, note));
        }
        if scan.longest_hex >= DIGEST_DIGITS {
            for digest in self.digests.get_or_init(|| find::digests(self.trimmed)) {
                find::literal(bytes, digest.as_bytes(), note);
            }
        }
    }
}

/// A text as sent, and in lower and upper case where it is not ASCII.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![text.as_bytes().to_vec()];
    if !text.is_ascii() {
        for other in [text.to_lowercase(), text.to_uppercase()] {
            if !spellings.iter().any(|known| *known == other.as_bytes()) {
                spellings.push(other.into_bytes());
            }
        }
    }
    spellings
}

/// Sorted, joined where they touch, widened to character boundaries.
fn merge(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
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
