//! Says what happens again and again at most once in a while, and how often it happened in between: a stranger who posts
//! nonsense must not be able to fill the disk with our log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a reason is quiet after it was said.
const QUIET: Duration = Duration::from_secs(10);

static PROCESS: Mutex<Option<RateLimited>> = Mutex::new(None);

/// Runs `log` unless the same `reason` was logged less than ten seconds ago; then says how many were left out before it.
pub fn limited(reason: &'static str, log: impl FnOnce()) {
    let left_out = {
        let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        process.get_or_insert_with(|| RateLimited::new(QUIET)).admit(reason, Instant::now())
    };
    let Some(left_out) = left_out else { return };
    log();
    if left_out > 0 {
        tracing::warn!(reason, left_out, "{left_out} more like the line above since it was last logged");
    }
}

/// Remembers when each reason was last said. Reasons are fixed words of ours, so there are few.
#[derive(Debug)]
pub struct RateLimited {
    quiet: Duration,
    said: HashMap<&'static str, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    left_out: u64,
}

impl RateLimited {
    /// Lets each reason through once per `quiet`.
    #[must_use]
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, said: HashMap::new() }
    }

    /// Whether to say it now: with how many were left out since it was last said, or `None` for not now.
    pub fn admit(&mut self, reason: &'static str, now: Instant) -> Option<u64> {
        match self.said.get_mut(reason) {
            Some(said) if now.saturating_duration_since(said.at) < self.quiet => {
                said.left_out += 1;
                None
            }
            Some(said) => Some(std::mem::replace(said, Said { at: now, left_out: 0 }).left_out),
            None => {
                self.said.insert(reason, Said { at: now, left_out: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_reason_and_time_and_the_rest_is_counted() {
        let mut limited = RateLimited::new(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limited.admit("a", at(0)), Some(0));
        assert_eq!(limited.admit("a", at(1)), None);
        assert_eq!(limited.admit("b", at(1)), Some(0));
        assert_eq!(limited.admit("a", at(9)), None);
        assert_eq!(limited.admit("a", at(10)), Some(2));
        assert_eq!(limited.admit("a", at(11)), None);
        assert_eq!(limited.admit("a", at(30)), Some(1));
        assert_eq!(limited.admit("a", at(60)), Some(0));
    }
}
