//! The time, gone through in windows that answers fit into.

/// Messages that a window is made wide for: room for what is not spread evenly.
const AIM: i64 = 600;
/// The first window, ms.
const FIRST: i64 = 3_600_000;
const SECOND: i64 = 1000;

/// Windows one after the other, each from its start up to, not with, its end; ms since 1970.
pub(super) struct Windows {
    at: i64,
    end: i64,
    width: i64,
}

impl Windows {
    pub(super) fn new(at: i64, end: i64) -> Self {
        Self { at, end, width: FIRST }
    }

    /// The window to look at now; `None`: the end is reached.
    pub(super) fn next(&self) -> Option<(i64, i64)> {
        (self.at < self.end).then(|| (self.at, self.to()))
    }

    fn to(&self) -> i64 {
        self.at.saturating_add(self.width.max(1)).min(self.end)
    }

    /// It was full: a narrower one from the same start. `false` where there is none.
    pub(super) fn halve(&mut self) -> bool {
        let width = self.to() - self.at;
        self.width = whole(width / 2);
        width > 1
    }

    /// It was seen whole, and held so many messages.
    pub(super) fn passed(&mut self, messages: usize) {
        let width = self.to() - self.at;
        self.at = self.to();
        let messages = i64::try_from(messages).unwrap_or(i64::MAX).max(1);
        let fitting = width.saturating_mul(AIM) / messages;
        self.width = whole(fitting.clamp(width / 2, width.saturating_mul(4))).max(1);
    }
}

/// Whole seconds, unless there is less: fractions are used only where they must be.
fn whole(width: i64) -> i64 {
    if width >= SECOND { width - width % SECOND } else { width }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever stands where, each message is in exactly one window that was seen whole, or at a single instant.
        #[test]
        fn every_instant_is_seen_once(
            mut times in prop::collection::vec(0_i64..20_000_000, 0..3000),
            burst in prop::collection::vec(0_i64..20_000_000, 0..4),
        ) {
            for at in burst {
                times.extend(std::iter::repeat_n(at, 700));
            }
            let mut windows = Windows::new(0, 20_000_000);
            let (mut seen, mut requests, mut edge) = (0, 0, 0);
            while let Some((from, to)) = windows.next() {
                prop_assert_eq!(from, edge);
                prop_assert!(from < to && to <= 20_000_000);
                requests += 1;
                let inside = times.iter().filter(|at| (from..to).contains(at)).count();
                if inside >= 1000 && windows.halve() {
                    continue;
                }
                prop_assert!(inside < 1000 || to == from + 1);
                seen += inside;
                edge = to;
                windows.passed(inside);
            }
            prop_assert_eq!((seen, edge), (times.len(), 20_000_000));
            // Bursts cost halvings down to the millisecond, and growing wide again.
            prop_assert!(requests < 200 + times.len() / 100, "{} requests for {}", requests, times.len());
        }
    }

    #[test]
    fn windows_grow_where_little_is_and_are_whole_seconds() {
        let mut windows = Windows::new(0, 30 * 24 * 3_600_000);
        let mut requests = 0;
        while let Some((from, to)) = windows.next() {
            assert_eq!((from % SECOND, to % SECOND), (0, 0));
            windows.passed(0);
            requests += 1;
        }
        assert!(requests < 10, "{requests} requests for a month without mail");
    }
}
