//! The one place that reads the wall clock. Rules that depend on time take it as an argument. [`calendar`] divides time.

pub mod calendar;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As the standard library has it, for dates of HTTP.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Microseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn now_micros() -> i64 {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    micros(since_epoch)
}

/// A length of time in µs; what is longer than time itself as the longest.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
