//! The finders asked whether something is there, rather than where.

use std::ops::Range;

use super::decode::Level;
use super::scan::Scan;
use super::{Kind, Redactor, find};

/// What is shaped like an address, as written and with escapes undone.
pub(in crate::protect) fn addresses_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_level(text, usize::MAX, |bytes, scan| {
        if scan.may_hold_shaped() {
            find::shaped(bytes, &mut |range| {
                let address = String::from_utf8_lossy(&bytes[range]).into_owned();
                // In a query the name of the parameter looks like a part of it.
                found.extend(address.rsplit_once('=').map(|(_, behind)| behind.to_owned()));
                found.push(address);
            });
        }
    });
    found
}

impl Redactor<'_> {
    /// Whether the text has the event's own address in any form; not where it is the end or beginning of another one.
    pub(in crate::protect) fn holds_own(&self, text: &str) -> bool {
        let Some(own) = &self.own else { return false };
        let mut holds = false;
        each_level(text, self.shortest_run(), |bytes, scan| {
            own.find(bytes, scan, Kind::Fixed, &mut |range| {
                // In other forms than this one the address does not stand alone in any case.
                holds |= !bytes[range.clone()].contains(&b'@') || stands_alone(bytes, range);
            });
        });
        holds
    }
}

/// Whether neither local part nor domain goes on beyond the range.
fn stands_alone(bytes: &[u8], range: Range<usize>) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || matches!(b, b'-' | b'_');
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    let (after, then) = (bytes.get(range.end), bytes.get(range.end + 1));
    let begins_before = before.is_some_and(|b| word(b) || matches!(b, b'.' | b'+'));
    let goes_on = after.is_some_and(word) || (after == Some(&b'.') && then.is_some_and(word));
    !begins_before && !goes_on
}

fn each_level(text: &str, shortest_run: usize, mut look: impl FnMut(&[u8], &Scan)) {
    let plain = Level::plain(text);
    let scan = Scan::of(plain.bytes(), shortest_run);
    look(plain.bytes(), &scan);
    let mut level = scan.may_be_escaped().then(|| plain.decoded()).flatten();
    while let Some(decoded) = level {
        let scan = Scan::of(decoded.bytes(), shortest_run);
        look(decoded.bytes(), &scan);
        level = scan.may_be_escaped().then(|| decoded.decoded()).flatten();
    }
}
