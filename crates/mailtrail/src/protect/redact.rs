//! Addresses out of texts: the event's own in every form that mailers and trackers are known to write it, anybody
//! else's wherever it is shaped like one.
//!
//! A text is scanned once for what any form needs (an `@`, a `%`, a long run of hex or base64 digits); most texts
//! have nothing and stay borrowed. The rest is looked through at each level of decoding ([`decode`]): as it is, with percent
//! escapes and HTML entities undone once, twice, three times. What is found at a level is mapped back to the text as sent.

mod decode;
mod find;
mod scan;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use decode::Level;
use scan::Scan;

/// What stands where an address stood.
pub(super) const REPLACEMENT: &str = "[address]";

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
pub(super) struct Redactor {
    own: Option<Own>,
}

/// The event's own address.
struct Own {
    /// Spellings that ASCII case does not cover; one where the address is ASCII.
    spellings: Vec<Vec<u8>>,
    /// `local=domain`, as in VERP return paths.
    verp: Vec<Vec<u8>>,
    /// The bare local part where it is telling, or an address without `@`.
    local: Option<Vec<u8>>,
    trimmed: String,
    digests: OnceCell<Vec<String>>,
}

impl Redactor {
    /// For an event with this address, as sent; `None` for an event without.
    pub(super) fn new(address: Option<&str>) -> Self {
        let own = address.map(str::trim).filter(|address| !address.is_empty()).map(Own::new);
        Self { own }
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
        if self.own.as_ref().is_some_and(|own| text.to_lowercase() == own.trimmed.to_lowercase()) {
            return true;
        }
        // Plain or with one escape form; what else looks like an address is redacted in place.
        text.contains('@') && !text.contains(char::is_whitespace) && self.find(text, Kind::Fixed) == [0..text.len()]
    }

    /// Where addresses stand: in order, not overlapping, on character boundaries.
    fn find(&self, text: &str, kind: Kind) -> Vec<Range<usize>> {
        let scan = Scan::of(text);
        let own = self.own.as_ref();
        let local = own.and_then(|own| own.local.as_deref()).filter(|_| kind == Kind::Free);
        let hidden = own.is_some_and(|own| own.may_be_hidden(&scan));
        if !scan.may_hold_address() && !hidden && local.is_none() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut level = Some(Level::plain(text));
        while let Some(current) = level {
            let mut note = |range: Range<usize>| found.push(current.to_original(range));
            let bytes = current.bytes();
            find::shaped(bytes, &mut note);
            if let Some(own) = own {
                own.find(bytes, &mut note);
                if let Some(local) = local {
                    find::word(bytes, local, &mut note);
                }
            }
            level = if scan.may_be_escaped() { current.decoded() } else { None };
        }
        merge(text, found)
    }
}

impl Own {
    fn new(address: &str) -> Self {
        let mut spellings = vec![address.as_bytes().to_vec()];
        if !address.is_ascii() {
            spellings.push(address.to_lowercase().into_bytes());
            spellings.push(address.to_uppercase().into_bytes());
        }
        let split = address.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let (verp, local) = match split {
            Some((local, domain)) => (
                vec![format!("{local}={domain}").into_bytes()],
                // Short common words would redact half of every text.
                (local.chars().count() >= 5 || local.contains(|c: char| c.is_ascii_digit() || c == '.'))
                    .then(|| local.as_bytes().to_vec()),
            ),
            None => (Vec::new(), Some(address.as_bytes().to_vec())),
        };
        if split.is_none() {
            spellings.clear();
        }
        Self { spellings, verp, local, trimmed: address.to_owned(), digests: OnceCell::new() }
    }

    /// Whether the text has runs long enough to hide the address in.
    fn may_be_hidden(&self, scan: &Scan) -> bool {
        let length = self.trimmed.len();
        scan.longest_hex >= (length * 2).min(32) || scan.longest_base64 >= find::base64_length(length) || scan.equals
    }

    fn find(&self, bytes: &[u8], note: &mut impl FnMut(Range<usize>)) {
        for needle in self.spellings.iter().chain(&self.verp) {
            find::literal(bytes, needle, note);
        }
        let whole = self.trimmed.as_bytes();
        find::in_hex(bytes, whole, note);
        find::in_base64(bytes, whole, note);
        if find::has_hex_run(bytes, 32) {
            for digest in self.digests.get_or_init(|| find::digests(&self.trimmed)) {
                find::literal(bytes, digest.as_bytes(), note);
            }
        }
    }
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
