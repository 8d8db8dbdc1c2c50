//! How much goes into one transaction: whoever else writes the trail, `serve` first of all, waits no longer than a moment.

use std::time::Duration;

/// Rows of one transaction.
const MOST: usize = 20_000;
const LEAST: usize = 50;
const FIRST: usize = 500;
/// What one is aimed to take; the bound is 100 ms.
const AIM: Duration = Duration::from_millis(60);
/// Between two transactions, beside a running `serve`: SQLite's waiting writers look again within so long.
const REST: Duration = Duration::from_millis(25);

pub(super) struct Pace {
    rows: usize,
    beside_serve: bool,
}

impl Pace {
    pub(super) fn new(beside_serve: bool) -> Self {
        Self { rows: FIRST, beside_serve }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// So many rows took so long. Says how long to rest.
    pub(super) fn took(&mut self, rows: usize, time: Duration) -> Duration {
        let a_second = rows as f64 / time.as_secs_f64().max(1e-6);
        let fitting = (a_second * AIM.as_secs_f64()) as usize;
        // Twice as many at most: the next ones may be dearer.
        self.rows = fitting.clamp(LEAST, MOST).min(self.rows.saturating_mul(2));
        if self.beside_serve { REST } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_stay_short_and_small() {
        let mut pace = Pace::new(true);
        for _ in 0..20 {
            assert_eq!(pace.took(pace.rows(), Duration::from_millis(1)), REST);
        }
        assert_eq!(pace.rows(), MOST);
        pace.took(MOST, Duration::from_secs(2));
        assert_eq!(pace.rows(), 600, "60 ms' worth");
        pace.took(600, Duration::from_secs(60));
        assert_eq!(pace.rows(), LEAST);
        assert_eq!(Pace::new(false).took(1, Duration::ZERO), Duration::ZERO);
    }
}
