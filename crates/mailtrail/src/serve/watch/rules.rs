//! When something is a concern: pure rules over what was found, for `serve` and `doctor` alike.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::config::Watch;
use crate::notify::Concern;
use crate::receive::skew::Ages;
use crate::relay::Standing;

const DAY: Duration = Duration::from_secs(86_400);
/// Signatures from so far in our future: our clock is behind. Clocks that are set by NTP differ by far less.
const AHEAD: i64 = 60;
/// So old all of them for so long, that it is no slow network and no repetition: our clock is ahead.
const OLD: i64 = 120;
const CLOCK_POSTS: u64 = 3;
/// The backlog is a concern from the first of these on until it is below the second.
const FILLED: (u8, u8) = (50, 25);
/// A wait that was told of is over when it is so many times shorter.
const CALMER: u32 = 10;

/// Judges our clock by the ages of signatures.
#[derive(Debug, Default)]
pub(super) struct ClockRule {
    began: Option<i64>,
    seen: Option<Ages>,
    concern: Option<Concern>,
}

impl ClockRule {
    /// `ages`: since the last call. `window`: how long all must be old.
    pub(super) fn judge(&mut self, now: i64, ages: Option<Ages>, window: Duration) -> Option<Concern> {
        let Some(ages) = ages else { return self.concern };
        let by = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        if ages.least < -AHEAD {
            // One is enough: nothing but a clock makes a signature come from the future.
            (self.began, self.seen) = (None, None);
            self.concern = Some(Concern::Clock { behind: true, by: by(ages.least) });
        } else if ages.least <= OLD {
            (self.began, self.seen, self.concern) = (None, None, None);
        } else {
            let began = *self.began.get_or_insert(now);
            let seen = match self.seen {
                None => ages,
                Some(before) => Ages { least: before.least.min(ages.least), posts: before.posts + ages.posts },
            };
            self.seen = Some(seen);
            if age(began, now) >= window && seen.posts >= CLOCK_POSTS {
                self.concern = Some(Concern::Clock { behind: false, by: by(seen.least) });
            }
        }
        self.concern
    }
}

/// From one time to another, µs since the epoch.
fn age(from: i64, to: i64) -> Duration {
    Duration::from_micros(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

/// `end`, `now`: µs since the epoch. `refused`: the files hold another certificate, which cannot be used.
pub(crate) fn certificate(watch: &Watch, end: i64, refused: bool, now: i64) -> Option<Concern> {
    let left = age(now, end);
    (refused || left < watch.certificate).then_some(Concern::Certificate { left, refused })
}

pub(super) fn backlog(watch: &Watch, bytes: u64, most: u64, oldest: Duration, already: bool) -> Option<Concern> {
    let percent = u128::from(bytes) * 100 / u128::from(most.max(1));
    let percent = u8::try_from(percent.min(100)).unwrap_or(100);
    let limits = if already { (FILLED.1, watch.backlog / CALMER) } else { (FILLED.0, watch.backlog) };
    (percent >= limits.0 || oldest >= limits.1).then_some(Concern::Backlog { percent, oldest })
}

/// `growth`: bytes a day.
pub(crate) fn disk(watch: &Watch, free: u64, growth: Option<f64>) -> Option<Concern> {
    let left = days_left(free, growth).map(|days| DAY.mul_f64(days.min(1e6)));
    let concern = free < watch.disk_free || left.is_some_and(|left| left < watch.disk);
    concern.then_some(Concern::Disk { free, left })
}

pub(super) fn relay(watch: &Watch, standing: &Standing, already: bool) -> Option<Concern> {
    let Standing { waiting, oldest, set_aside, dropped } = *standing;
    let late = oldest >= if already { watch.relay / CALMER } else { watch.relay };
    let concern = late || set_aside > 0 || dropped > 0;
    concern.then_some(Concern::Relay { waiting, oldest, set_aside, dropped })
}

/// Days until the disk is full at the present growth.
pub(crate) fn days_left(free: u64, growth: Option<f64>) -> Option<f64> {
    growth.filter(|growth| *growth >= 1.0).map(|growth| free as f64 / growth)
}

/// Free bytes where a store lies.
pub(crate) fn free_space(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// How pressing it is: a concern that gets more so is told again.
pub(super) fn severity(watch: &Watch, concern: &Concern) -> u8 {
    let by_time = |left: Duration| match left {
        Duration::ZERO => 3,
        left if left < DAY * 3 => 2,
        _ => 1,
    };
    match concern {
        Concern::Clock { .. } | Concern::Files => 1,
        Concern::Certificate { left, refused } => 2 * by_time(*left) + u8::from(*refused),
        Concern::Backlog { percent, .. } => 1 + u8::from(*percent >= 90),
        Concern::Disk { free, left } => {
            by_time(left.unwrap_or(DAY * 10)).max(1 + u8::from(*free < watch.disk_free / 8))
        }
        Concern::Relay { set_aside, dropped, .. } => 1 + u8::from(*set_aside > 0) + 2 * u8::from(*dropped > 0),
    }
}
