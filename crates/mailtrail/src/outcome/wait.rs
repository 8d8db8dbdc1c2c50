//! Watching a send until there is a verdict.

mod looks;

use std::time::Duration;

use looks::Looks;

use super::report::Report;
use super::selector::OutcomeError;
use super::watched::Watched;
use crate::clock::micros;
use crate::settle::Status;

const SECOND: i64 = 1_000_000;
/// So long after the first acceptance an event should have come, µs.
const FIRST_EVENT: i64 = 5 * 60 * SECOND;
/// Of the default time-out: for each recipient, at least, at most (SendGrid tries for 72 hours), seconds.
const PER_RECIPIENT: u64 = 9;
const SHORTEST: u64 = 5 * 60;
const LONGEST: u64 = 73 * 3600;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Until {
    /// There is an event of everybody
    Seen,
    /// Everybody's mail has arrived or failed for good
    #[default]
    Settled,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What is waited for.
    pub until: Until,
    /// From the start, the last acceptance or the time that mail was to be held back until, whichever is the latest; `None`: as
    /// [`default_timeout`] says, from the last acceptance where there was one.
    pub timeout: Option<Duration>,
    /// When all who are left are deferred and nothing changed for so long, that is enough.
    pub quiet: Option<Duration>,
    /// When to tell how it stands, and how far apart again.
    pub report_after: Option<Duration>,
}

/// How the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As asked for.
    Reached(Until),
    /// Not in time: somebody is unknown, or processed and nothing since.
    TimedOut,
    /// All who are left are deferred, and nothing changed for long enough or the time is up.
    Quiet,
    /// All who are left were never sent: nothing comes until somebody sends the run again.
    Unsent,
}

/// What is to be told while waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is not over, but it is time for a report.
    Interim,
    /// SendGrid accepted mail so long ago, µs, and no event has come.
    NoEvents(i64),
    /// The store cannot be read for now.
    Trouble(String),
    /// It can be read again.
    Recovered,
    /// Everybody so far is settled, but this one is sending the run, or has not let go of it.
    StillSent(String),
}

/// Who waits.
pub trait Waiter {
    /// The time, µs since the epoch.
    fn now(&mut self) -> i64;
    /// Sleeps.
    fn pause(&mut self, time: Duration);
    /// Shows how it stands, at each look.
    fn progress(&mut self, report: &Report, now: i64);
    /// Says something.
    fn tell(&mut self, news: News, watched: &Watched, now: i64);
}

/// How long to wait for so many recipients where nobody says.
#[must_use]
pub fn default_timeout(recipients: u64) -> Duration {
    Duration::from_secs(recipients.saturating_mul(PER_RECIPIENT).clamp(SHORTEST, LONGEST))
}

/// Watches until a verdict. A store that cannot be read for a while is waited for, too.
///
/// # Errors
/// None while waiting: what cannot be read is told as [`News::Trouble`]. Only a verdict that cannot be had by the end is one.
pub fn wait(watched: &mut Watched, limits: &Limits, waiter: &mut dyn Waiter) -> Result<End, OutcomeError> {
    let start = waiter.now();
    let mut state =
        State { start, changed: None, reported: start, reported_as: None, silent: false, trouble: false, held: false };
    let mut looks = Looks::new(watched.pace());
    loop {
        let now = waiter.now();
        let result = watched.poll().and_then(|changed| {
            state.note(changed, watched, now);
            if changed {
                looks.again();
            }
            state.end(watched, limits, now)
        });
        match result {
            Ok(end) => {
                if std::mem::take(&mut state.trouble) {
                    waiter.tell(News::Recovered, watched, now);
                }
                waiter.progress(watched.report(), now);
                if let Some(end) = end {
                    return Ok(end);
                }
                if let Some(sender) = state.sender(watched, limits) {
                    waiter.tell(News::StillSent(sender), watched, now);
                }
            }
            Err(error) if now >= state.deadline(watched, limits) => return Err(error),
            Err(error) => {
                if !std::mem::replace(&mut state.trouble, true) {
                    waiter.tell(News::Trouble(error.to_string()), watched, now);
                }
            }
        }
        state.tell(watched, limits, waiter, now);
        let left = state.deadline(watched, limits).saturating_sub(now);
        let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
        waiter.pause(left.min(looks.next()).max(Duration::from_millis(1)));
    }
}

struct State {
    start: i64,
    /// When there was last something new.
    changed: Option<i64>,
    reported: i64,
    reported_as: Option<Report>,
    silent: bool,
    trouble: bool,
    /// Whether it was said that the run is being sent.
    held: bool,
}

impl State {
    fn note(&mut self, changed: bool, watched: &Watched, now: i64) {
        match self.changed {
            // What came before the waiting began counts from when it happened.
            None => self.changed = Some(watched.report().last_event.unwrap_or(now).min(now)),
            Some(_) if changed => self.changed = Some(now),
            Some(_) => {}
        }
    }

    fn end(&self, watched: &mut Watched, limits: &Limits, now: i64) -> Result<Option<End>, OutcomeError> {
        if is_reached(watched, limits) && watched.is_up_to_date()? {
            return Ok(Some(End::Reached(limits.until)));
        }
        if is_waiting_for_nothing(watched, limits) && watched.is_up_to_date()? {
            return Ok(Some(End::Unsent));
        }
        let quiet_since = self.changed.unwrap_or(now);
        let is_quiet = limits.quiet.is_some_and(|quiet| now - quiet_since >= micros(quiet));
        if is_quiet && watched.report().is_only_deferred() && watched.is_up_to_date()? {
            return Ok(Some(End::Quiet));
        }
        if now < self.deadline(watched, limits) {
            return Ok(None);
        }
        // One greylisting domain is no reason for an alarm: everybody was seen.
        Ok(Some(if watched.report().is_only_deferred() { End::Quiet } else { End::TimedOut }))
    }

    /// Who keeps the verdict back by sending, said once.
    fn sender(&mut self, watched: &Watched, limits: &Limits) -> Option<String> {
        if self.held || !(is_reached(watched, limits) || is_waiting_for_nothing(watched, limits)) {
            return None;
        }
        let sender = watched.sender().ok()??;
        self.held = true;
        Some(sender)
    }

    fn deadline(&self, watched: &Watched, limits: &Limits) -> i64 {
        let record = watched.record();
        let sent = record.and_then(|record| record.accepted_at.max(record.send_at));
        match limits.timeout {
            Some(timeout) => sent.unwrap_or(i64::MIN).max(self.start).saturating_add(micros(timeout)),
            None => {
                let timeout = default_timeout(watched.report().recipients);
                sent.unwrap_or(self.start).saturating_add(micros(timeout))
            }
        }
    }

    fn tell(&mut self, watched: &Watched, limits: &Limits, waiter: &mut dyn Waiter, now: i64) {
        let report = watched.report();
        if let Some(after) = limits.report_after
            && now - self.reported >= micros(after)
            && self.reported_as.as_ref() != Some(report)
        {
            self.reported = now;
            self.reported_as = Some(report.clone());
            waiter.tell(News::Interim, watched, now);
        }
        let accepted = watched.first_accepted().unwrap_or(self.start);
        let held_back = watched.record().and_then(|record| record.send_at).unwrap_or(i64::MIN);
        if report.accepted > 0 && report.seen == 0 && !self.silent && now - accepted.max(held_back) >= FIRST_EVENT {
            self.silent = true;
            waiter.tell(News::NoEvents(now - accepted), watched, now);
        }
    }
}

fn is_reached(watched: &Watched, limits: &Limits) -> bool {
    match limits.until {
        Until::Seen => watched.report().is_seen(),
        Until::Settled => watched.report().is_settled(),
    }
}

/// Whether somebody is left, but nobody whose mail SendGrid has or may have.
fn is_waiting_for_nothing(watched: &Watched, limits: &Limits) -> bool {
    let report = watched.report();
    let left = match limits.until {
        Until::Seen => report.count(Status::Unknown),
        Until::Settled => report.pending(),
    };
    report.unsent > 0 && left == report.unsent
}

#[cfg(test)]
mod tests;
