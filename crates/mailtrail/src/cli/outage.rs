//! Commands that wait or follow begin although BigQuery cannot answer for now.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use super::output::note;

/// Between tries, the first and the longest; doubled in between.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Repeats `step` while its error may pass, until `patience` has passed; `None`: without an end.
pub(super) fn wait_out<T, E: Display>(
    patience: Option<Duration>,
    may_pass: impl Fn(&E) -> bool,
    mut step: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let begun = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        let error = match step() {
            Err(error) if may_pass(&error) => error,
            result => return result,
        };
        let left = patience.map_or(pause, |patience| patience.saturating_sub(begun.elapsed()));
        if left.is_zero() {
            return Err(error);
        }
        note(&format!("note: {error}; it is asked again"));
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_repeated_until_the_patience_ends_and_nothing_else_is() {
        let mut tries = 0;
        let mut step = |good_at| {
            tries += 1;
            if tries >= good_at { Ok(tries) } else { Err("busy") }
        };
        let patience = Some(Duration::from_secs(60));
        assert_eq!(wait_out(patience, |_| true, || step(2)), Ok(2));
        assert_eq!(wait_out(patience, |_| false, || step(9)), Err("busy"));
        assert_eq!(wait_out(Some(Duration::ZERO), |_| true, || step(9)), Err("busy"));
        assert_eq!(tries, 4);
    }
}
