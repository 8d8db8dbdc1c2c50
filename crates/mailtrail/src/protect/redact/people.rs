//! Several people at once: what `forget` searches, by the same forms that redaction knows.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use super::engine::{Finder, Layer, search};
use super::own::Needles;
use super::{Kind, anybody, find, merge, replaced};
use crate::protect::values::Cleaner;

/// Somebody who is looked for by address.
pub(in crate::protect) struct Person {
    address: Zeroizing<String>,
    needles: Needles,
}

impl Person {
    pub(in crate::protect) fn new(address: &str) -> Self {
        Self { address: Zeroizing::new(address.to_owned()), needles: Needles::of(address) }
    }

    pub(in crate::protect) fn address(&self) -> &str {
        &self.address
    }

    /// Digests of the address, as hex.
    pub(in crate::protect) fn digests(&self) -> &[String] {
        self.needles.digests()
    }
}

/// Finds people, by address or by what `is_theirs` says of an address.
pub(in crate::protect) struct People<'p, F> {
    people: &'p [Person],
    is_theirs: F,
}

impl<'p, F: Fn(&str) -> bool> People<'p, F> {
    pub(in crate::protect) fn new(people: &'p [Person], is_theirs: F) -> Self {
        Self { people, is_theirs }
    }

    /// Whether a text speaks of one of them.
    pub(in crate::protect) fn are_in(&self, text: &[u8]) -> bool {
        !search(text, self).is_empty()
    }

    /// The text without them.
    pub(in crate::protect) fn removed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        replaced(text, merge(text, search(text.as_bytes(), self)))
    }
}

impl<F: Fn(&str) -> bool> Cleaner for People<'_, F> {
    fn text<'t>(&self, text: &'t str, _: Kind) -> Cow<'t, str> {
        self.removed(text)
    }

    fn hides_number(&self, _: &str) -> bool {
        false
    }
}

impl<F: Fn(&str) -> bool> Finder for People<'_, F> {
    fn shortest(&self) -> usize {
        0
    }

    fn find(&self, layer: &Layer<'_>, note: &mut dyn FnMut(Range<usize>)) {
        let bytes = layer.bytes;
        anybody(layer, &mut |range| {
            let address = String::from_utf8_lossy(&bytes[range.clone()]);
            // In a query the name of the parameter looks like a part of it.
            let value = address.rsplit_once('=').map(|(_, behind)| behind);
            if (self.is_theirs)(&address) || value.is_some_and(&self.is_theirs) {
                note(range);
            }
        });
        for person in self.people {
            person.needles.find(layer, &mut |range| {
                // In other forms than this one the address does not stand alone in any case.
                if !bytes[range.clone()].contains(&b'@') || find::stands_alone(bytes, &range) {
                    note(range);
                }
            });
        }
    }
}
