//! What SendGrid says about how much more it takes: `X-RateLimit-Remaining`, `X-RateLimit-Reset` (Unix seconds), and
//! `Retry-After` of a 429.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::HeaderMap;

use crate::clock::micros;
use crate::retry_after::retry_after;

/// Longer waits than this are no rate limit but a mistake.
const LONGEST: i64 = 3600 * 1_000_000;

/// A number of seconds up to this is a time to wait, not a moment.
const LONGEST_SAID: i64 = 86_400;

/// When the next request may go, µs since 1970; 0: at once.
#[derive(Default)]
pub(super) struct RateLimit(AtomicI64);

impl RateLimit {
    /// Takes what an answer says; returns how long to wait, where it says so.
    pub(super) fn note(&self, headers: &HeaderMap, too_many: bool, now: i64) -> Option<Duration> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let time = UNIX_EPOCH + Duration::from_micros(now.unsigned_abs());
        let longest = Duration::from_micros(LONGEST.unsigned_abs());
        let after = retry_after(headers, time, longest).filter(|_| too_many).map(micros);
        let spent = too_many || number("x-ratelimit-remaining") == Some(0);
        let reset = number("x-ratelimit-reset")
            .filter(|_| spent)
            // Most of its APIs say when, some how long.
            .and_then(|seconds| match seconds {
                ..=LONGEST_SAID => seconds.checked_mul(1_000_000),
                _ => seconds.checked_mul(1_000_000)?.checked_sub(now),
            });
        let wait = after.or(reset).map(|wait| wait.clamp(0, LONGEST));
        self.0.store(wait.map_or(0, |wait| now.saturating_add(wait)), Ordering::Relaxed);
        wait.map(|wait| Duration::from_micros(wait.unsigned_abs()))
    }

    pub(super) fn ready_at(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
