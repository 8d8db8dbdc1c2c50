//! When something is a concern: pure rules over what was found, for `serve` and `doctor` alike.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::notify::Concern;
use crate::receive::skew::Ages;

const SECOND: i64 = 1_000_000;
const DAY: Duration = Duration::from_secs(86_400);
/// By then certificates are usually renewed.
const CERTIFICATE_SOON: Duration = Duration::from_secs(14 * 86_400);
/// Somebody has to be found who can make room.
const DISK_SOON_DAYS: f64 = 14.0;
/// Below this, a burst of events could fill the disk before anybody looks.
pub(crate) const DISK_LITTLE: u64 = 1 << 30;
/// Signatures from so far in our future: our clock is behind. Clocks that are set by NTP differ by far less.
const AHEAD: i64 = 60;
/// So old all of them for so long, that it is no slow network and no repetition: our clock is ahead.
const OLD: i64 = 120;
const CLOCK_WINDOW: i64 = 600 * SECOND;
const CLOCK_POSTS: u64 = 3;
/// The backlog is a concern from the first of these on until it is below the second.
const FILLED: (u8, u8) = (50, 25);
const WAITED: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(60));

/// Judges our clock by the ages of signatures.
#[derive(Debug, Default)]
pub(super) struct ClockRule {
    began: Option<i64>,
    window: Option<Ages>,
    concern: Option<Concern>,
}

impl ClockRule {
    /// `ages`: since the last call.
    pub(super) fn judge(&mut self, now: i64, ages: Option<Ages>) -> Option<Concern> {
        let Some(ages) = ages else { return self.concern };
        let by = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        if ages.least < -AHEAD {
            // One is enough: nothing but a clock makes a signature come from the future.
            (self.began, self.window) = (None, None);
            self.concern = Some(Concern::Clock { behind: true, by: by(ages.least) });
        } else if ages.least <= OLD {
            (self.began, self.window, self.concern) = (None, None, None);
        } else {
            let began = *self.began.get_or_insert(now);
            let window = match self.window {
                None => ages,
                Some(before) => Ages { least: before.least.min(ages.least), posts: before.posts + ages.posts },
            };
            self.window = Some(window);
            if now - began >= CLOCK_WINDOW && window.posts >= CLOCK_POSTS {
                self.concern = Some(Concern::Clock { behind: false, by: by(window.least) });
            }
        }
        self.concern
    }
}

/// `end`, `now`: µs since the epoch.
pub(crate) fn certificate(end: i64, now: i64) -> Option<Concern> {
    let left = Duration::from_micros(u64::try_from(end.saturating_sub(now)).unwrap_or(0));
    (left < CERTIFICATE_SOON).then_some(Concern::Certificate { left })
}

pub(super) fn backlog(bytes: u64, most: u64, oldest: Duration, already: bool) -> Option<Concern> {
    let percent = u128::from(bytes) * 100 / u128::from(most.max(1));
    let percent = u8::try_from(percent.min(100)).unwrap_or(100);
    let limits = if already { (FILLED.1, WAITED.1) } else { (FILLED.0, WAITED.0) };
    (percent >= limits.0 || oldest >= limits.1).then_some(Concern::Backlog { percent, oldest })
}

/// `growth`: bytes a day.
pub(crate) fn disk(free: u64, growth: Option<f64>) -> Option<Concern> {
    let days = days_left(free, growth);
    let concern = free < DISK_LITTLE || days.is_some_and(|days| days < DISK_SOON_DAYS);
    concern.then(|| Concern::Disk { free, left: days.map(|days| DAY.mul_f64(days.min(1e6))) })
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
pub(super) fn severity(concern: &Concern) -> u8 {
    let by_time = |left: Duration| match left {
        Duration::ZERO => 3,
        left if left < DAY * 3 => 2,
        _ => 1,
    };
    match concern {
        Concern::Clock { .. } => 1,
        Concern::Certificate { left } => by_time(*left),
        Concern::Backlog { percent, .. } => 1 + u8::from(*percent >= 90),
        Concern::Disk { free, left } => by_time(left.unwrap_or(DAY * 10)).max(1 + u8::from(*free < DISK_LITTLE / 8)),
    }
}
