//! Which events were read lately: their keys, shortened, with the time of their receipt.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// So many are saved at most, the newest ones: of the others some would be told again after a restart.
const MOST_SAVED: usize = 50_000;
/// Bytes of one that is saved: the key's digest, and seconds since the oldest one.
const SAVED_BYTES: usize = 12;

/// The memory of a reader that looks at the same stretch of time again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    events: HashMap<u64, Entry>,
    /// What was received up to here counts as read before this began, µs since the epoch.
    known_to: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    received_at: i64,
    /// It was read before this began, and was not met since.
    before: bool,
}

impl Seen {
    /// Nothing was read; what was received up to `at` is to count as read.
    pub(super) fn from(at: i64) -> Self {
        Self { events: HashMap::new(), known_to: Some(at) }
    }

    /// An event is there. `None`: it was met before; else whether it was read before this began.
    pub(super) fn meet(&mut self, key: &str, received_at: i64) -> Option<bool> {
        let known = self.known_to.is_some_and(|known_to| received_at <= known_to);
        match self.events.entry(digest(key)) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Entry { received_at, before: false });
                Some(known)
            }
            std::collections::hash_map::Entry::Occupied(mut occupied) => {
                std::mem::take(&mut occupied.get_mut().before).then_some(true)
            }
        }
    }

    /// What was received before is not met again.
    pub(super) fn forget_before(&mut self, received_at: i64) {
        self.events.retain(|_, entry| entry.received_at >= received_at);
    }

    /// As text; empty where nothing was read.
    pub(super) fn to_text(&self) -> String {
        let mut events: Vec<(i64, u64)> =
            self.events.iter().map(|(digest, entry)| (entry.received_at.div_euclid(1_000_000), *digest)).collect();
        events.sort_unstable_by(|one, other| other.cmp(one));
        events.truncate(MOST_SAVED);
        let Some((oldest, _)) = events.last().copied() else { return String::new() };
        let mut bytes = oldest.to_be_bytes().to_vec();
        for (second, digest) in events {
            bytes.extend(u32::try_from(second - oldest).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(digest.to_be_bytes());
        }
        STANDARD_NO_PAD.encode(bytes)
    }

    /// The reverse of [`to_text`](Self::to_text), for what begins now: what was received up to `known_to` was read, and of what was
    /// received later, this. `None` where it is no such text.
    pub(super) fn parse(text: &str, known_to: i64) -> Option<Self> {
        let mut seen = Self { events: HashMap::new(), known_to: Some(known_to) };
        if text.is_empty() {
            return Some(seen);
        }
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (oldest, rest) = bytes.split_first_chunk::<8>()?;
        let oldest = i64::from_be_bytes(*oldest);
        for entry in rest.chunks(SAVED_BYTES) {
            let (second, digest) = entry.split_first_chunk::<4>()?;
            let second = oldest.checked_add(i64::from(u32::from_be_bytes(*second)))?;
            let received_at = second.checked_mul(1_000_000)?;
            seen.events.insert(u64::from_be_bytes(digest.try_into().ok()?), Entry { received_at, before: true });
        }
        Some(seen)
    }
}

/// FNV-1a: keys are digests already, and this has to be the same in every version.
fn digest(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const NOW: i64 = 1_790_000_000 * SECOND;

    #[test]
    fn each_event_is_met_once_and_what_was_read_before_is_told_apart() {
        let mut seen = Seen::from(NOW);
        assert_eq!(seen.meet("a", NOW - 1), Some(true), "there when it began");
        assert_eq!(seen.meet("b", NOW + SECOND), Some(false));
        assert_eq!((seen.meet("a", NOW - 1), seen.meet("b", NOW + SECOND)), (None, None));

        // The next process, from what was saved.
        let mut next = Seen::parse(&seen.to_text(), NOW - 60 * SECOND).expect("its own text");
        assert_eq!(next.meet("b", NOW + SECOND), Some(true), "read by the one before");
        assert_eq!(next.meet("b", NOW + SECOND), None);
        assert_eq!(next.meet("late", NOW - 30 * SECOND), Some(false), "became visible late");
        assert_eq!(next.meet("old", NOW - 90 * SECOND), Some(true), "too old not to have been read");

        next.forget_before(NOW - 2 * SECOND);
        assert_eq!(next.meet("a", NOW - 1), Some(true));
        assert_eq!(next.events.len(), 2, "what is not asked for again is not remembered");
    }

    #[test]
    fn what_is_saved_is_bounded_and_sound() {
        assert_eq!(Seen::default().to_text(), "");
        assert!(Seen::parse("", NOW).is_some());
        let mut seen = Seen::default();
        for n in 0..MOST_SAVED as i64 + 500 {
            seen.meet(&format!("key {n}"), NOW + n * SECOND);
        }
        let text = seen.to_text();
        assert!(text.len() < MOST_SAVED * SAVED_BYTES * 4 / 3 + 16, "{}", text.len());
        let saved = Seen::parse(&text, 0).expect("its own text");
        assert_eq!(saved.events.len(), MOST_SAVED);
        assert!(saved.events.values().all(|entry| entry.received_at >= NOW + 500 * SECOND), "the newest ones");
        for wrong in ["AAAA", "!", "not base64 at all", &text[..text.len() - 3]] {
            assert!(Seen::parse(wrong, NOW).is_none(), "{}", &wrong[..4.min(wrong.len())]);
        }
    }
}
