//! How long to wait between two looks.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::store::sends::Pace;

/// When to look next: half as long again after each look that found nothing, in jitter, so that many who wait do not ask at once.
pub(super) struct Looks {
    pace: Pace,
    next: Duration,
}

impl Looks {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, next: pace.shortest }
    }

    /// There was something new: more may follow.
    pub(super) fn again(&mut self) {
        self.next = self.pace.shortest;
    }

    pub(super) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.mul_f64(1.5).min(self.pace.longest);
        if self.pace.shortest == self.pace.longest {
            return whole;
        }
        let mut random = [0];
        // Without random numbers the pause is the whole one.
        let share = if rand::fill(&mut random).is_ok() { f64::from(random[0]) / 255.0 } else { 1.0 };
        whole.mul_f64(0.8 + share / 5.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_rarer_until_there_is_news() {
        let second = Duration::from_secs(1);
        let mut looks = Looks::new(Pace { shortest: 5 * second, longest: 30 * second });
        let mut whole = 5 * second;
        for _ in 0..8 {
            let pause = looks.next();
            assert!(pause <= whole && pause >= whole.mul_f64(0.79), "{pause:?} of {whole:?}");
            whole = whole.mul_f64(1.5).min(30 * second);
        }
        assert_eq!(whole, 30 * second);
        looks.again();
        assert!(looks.next() <= 5 * second);
        let mut steady = Looks::new(Pace { shortest: second, longest: second });
        assert_eq!([steady.next(), steady.next()], [second, second]);
    }
}
