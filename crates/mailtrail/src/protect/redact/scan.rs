//! One pass over a text that says which forms of an address it can hold at all.

/// The kinds of bytes that a text has.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen(u8);

const AT: u8 = 1;
const ESCAPE: u8 = 2;
const EQUALS: u8 = 4;
const LINE_END: u8 = 8;
const NON_ASCII: u8 = 16;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'@' => AT,
            b'%' | b'&' | b'\\' => ESCAPE,
            b'=' => EQUALS,
            b'\r' | b'\n' => LINE_END,
            0x80.. => NON_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    table
}

impl Seen {
    pub(super) fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)]))
    }

    pub(super) fn at(self) -> bool {
        self.0 & AT != 0
    }

    /// An `@`, or bytes that its full-width form may be part of.
    pub(super) fn sign(self) -> bool {
        self.0 & (AT | NON_ASCII) != 0
    }

    pub(super) fn non_ascii(self) -> bool {
        self.0 & NON_ASCII != 0
    }

    /// The first byte of a percent escape, an HTML entity or a JSON escape.
    pub(super) fn escape(self) -> bool {
        self.0 & ESCAPE != 0
    }

    pub(super) fn equals(self) -> bool {
        self.0 & EQUALS != 0
    }

    pub(super) fn line_end(self) -> bool {
        self.0 & LINE_END != 0
    }
}

/// Maximal runs, at least `shortest` long, of positions below `length` that are in a class.
///
/// The last position that a run needs is tried first, so that texts without runs are mostly skipped. No position is tried
/// more than twice.
pub(super) fn runs(
    length: usize,
    shortest: usize,
    is_in: impl Fn(usize) -> bool,
) -> impl Iterator<Item = std::ops::Range<usize>> {
    let shortest = shortest.max(1);
    let mut from = 0;
    std::iter::from_fn(move || {
        while from + shortest <= length {
            if let Some(outside) = (from..from + shortest).rev().find(|at| !is_in(*at)) {
                from = outside + 1;
                continue;
            }
            let start = from;
            let end = (from + shortest..length).find(|at| !is_in(*at)).unwrap_or(length);
            from = end + 1;
            return Some(start..end);
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_the_maximal_ones_and_no_position_is_tried_often(text in "[ab]{0,60}", shortest in 1_usize..9) {
            let tries = Cell::new(0);
            let found: Vec<_> = runs(text.len(), shortest, |at| {
                tries.set(tries.get() + 1);
                text.as_bytes()[at] == b'a'
            }).collect();
            let mut expected = Vec::new();
            let mut at = 0;
            for part in text.split('b') {
                if part.len() >= shortest {
                    expected.push(at..at + part.len());
                }
                at += part.len() + 1;
            }
            prop_assert_eq!(found, expected);
            prop_assert!(tries.get() <= 2 * text.len(), "{} tries", tries.get());
        }
    }
}
