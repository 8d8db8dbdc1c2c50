//! What goes wrong with a request, by a plan.

use std::sync::Arc;
use std::time::Duration;

use crate::random::Random;

/// What goes wrong with one `POST /v3/mail/send`. A request that is refused for what it says (400, 401) is refused
/// whatever the fault that would come after it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The mail is accepted, and no answer ever comes.
    TimeOutAfterAccepting,
    /// The mail is accepted, and the connection closes without an answer.
    CutAfterAccepting,
    /// The request is read, the connection closes, and nothing is accepted.
    CutBeforeAccepting,
    /// A 500: a client can't tell whether the mail was accepted.
    Status500 {
        /// Whether it was.
        accepted: bool,
    },
    /// A 429: nothing is accepted, and `X-RateLimit-Reset` lies this much ahead (rounded up to seconds).
    TooMany {
        /// From now to the reset.
        reset_after: Duration,
    },
    /// A 413 as nginx says it, in HTML; nothing is accepted.
    RefusedHtml413,
    /// The mail is accepted at once, and the answer comes after this time.
    Slow(Duration),
}

/// Which fault befalls the n-th `POST /v3/mail/send`, counted from 0 in the order of arrival.
pub type FaultPlan = Arc<dyn Fn(usize) -> Fault + Send + Sync>;

/// A plan by lot: each fault befalls its percentage of requests, the rest go well. Which one befalls the n-th request
/// hangs on `seed` and n alone, so also under concurrency.
pub fn random(seed: u64, percentages: &[(Fault, u8)]) -> impl Fn(usize) -> Fault + Send + Sync + 'static {
    let percentages = percentages.to_vec();
    move |number| {
        // The first numbers of neighbouring seeds are unrelated, by the generator's making.
        let mut lot = Random::new(seed.rotate_left(32) ^ number as u64).below(100);
        for (fault, share) in &percentages {
            match lot.checked_sub(u64::from(*share)) {
                Some(rest) => lot = rest,
                None => return *fault,
            }
        }
        Fault::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_plan_keeps_its_percentages_and_its_seed() {
        let shares = [(Fault::CutAfterAccepting, 20), (Fault::Status500 { accepted: false }, 10)];
        let faults = |seed| (0..2000).map(random(seed, &shares)).collect::<Vec<_>>();
        assert_eq!(faults(1), faults(1));
        assert_ne!(faults(1), faults(2));
        for (fault, share) in shares.into_iter().chain([(Fault::None, 70)]) {
            let hits = faults(3).iter().filter(|f| **f == fault).count();
            let wanted = usize::from(share) * 20;
            assert!(hits.abs_diff(wanted) < 80, "{fault:?}: {hits}, wanted about {wanted}");
        }
        assert!((0..500).map(random(4, &[(Fault::RefusedHtml413, 100)])).all(|f| f == Fault::RefusedHtml413));
    }
}
