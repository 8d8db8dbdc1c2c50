//! The loop: read, count, tell what is due, save how far everything was told.

use std::time::Duration;

use tokio::time::Instant;

use super::StartError;
use super::flight::{self, Flights};
use super::gather::Gather;
use super::rule::{self, Rule};
use super::silence::Silence;
use crate::clock;
use crate::config::Alert;
use crate::log::limited;
use crate::notify::{Notice, Notifier};
use crate::stop::Stop;
use crate::store::sqlite::{ReadError, Reader};
use crate::store::{Places, PlacesError};

/// How soon new events are noticed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Ids in one page: so many events are read at most before messages are looked after again.
const PAGE: i64 = 5000;
/// How often the place is saved while there is nothing to tell.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How long messages on their way are waited for at the end; what is not told then is told after the next start.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// Reads the trail for all rules.
pub(super) struct Follower {
    reader: Reader,
    places: Places,
    notifier: Notifier,
    watches: Vec<Watch>,
    names: Option<Vec<String>>,
    flights: Flights,
    /// Every event up to this id was read.
    read_to: i64,
    saved_at: Instant,
}

/// One rule at work.
struct Watch {
    rule: Rule,
    /// Events up to this id were told before.
    start: i64,
    gather: Gather,
    silence: Option<Silence>,
    /// How many channels have not taken the message on its way, and the id of its first event (none: about silence).
    flight: Option<(usize, Option<i64>)>,
    saved: i64,
    saved_silence: Option<i64>,
}

impl Watch {
    fn place(&self) -> String {
        format!("alert/{}", self.rule.id)
    }

    fn silence_place(&self) -> String {
        format!("silence/{}", self.rule.id)
    }

    fn hears_everything(&self) -> bool {
        self.silence.is_some() && self.rule.is_about_everything()
    }

    /// All of this rule's events up to this id were told.
    fn told_to(&self, read_to: i64) -> i64 {
        let untold = [self.gather.first_id(), self.flight.and_then(|(_, first)| first)];
        untold.into_iter().flatten().map(|id| id - 1).fold(read_to, i64::min).max(self.start)
    }
}

impl Follower {
    /// Rules without a saved place begin at the trail's end, and have it saved when this returns.
    pub(super) fn new(
        alerts: &[Alert],
        reader: Reader,
        mut places: Places,
        notifier: Notifier,
    ) -> Result<Self, StartError> {
        let (end, now) = (reader.last_id()?, clock::now_micros());
        let mut watches = Vec::new();
        for alert in alerts {
            watches.push(watch(Rule::new(alert), &reader, &places, end, now)?);
        }
        let kept: Vec<String> = watches.iter().flat_map(|watch| [watch.place(), watch.silence_place()]).collect();
        places.keep_only(&kept)?;
        let names = rule::names(watches.iter().map(|watch| &watch.rule));
        let read_to = watches.iter().map(|watch| watch.start).min().unwrap_or(end);
        let saved_at = Instant::now();
        let mut follower =
            Self { reader, places, notifier, watches, names, flights: Flights::new(), read_to, saved_at };
        follower.save()?;
        Ok(follower)
    }

    /// Runs until `stop`.
    pub(super) async fn run(mut self, mut stop: Stop) {
        metrics::gauge!("mailtrail_follow_lag_events", "follower" => "alert").set(0.0);
        loop {
            let behind = self.read_page().unwrap_or_else(|error| {
                limited("alert-read", || tracing::error!("alerts wait, since the trail cannot be read: {error}"));
                false
            });
            self.tell();
            if self.saved_at.elapsed() >= SAVE_EVERY {
                self.save_or_say();
            }
            let pause = if behind { Duration::ZERO } else { LOOK_EVERY };
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(landed) = self.flights.join_next() => self.landed(landed.ok()),
                () = tokio::time::sleep(pause) => {}
            }
        }
        let last = async {
            while let Some(landed) = self.flights.join_next().await {
                self.landed(landed.ok());
            }
        };
        // What is still on its way was not told, and is told after the next start.
        let _in_time = tokio::time::timeout(LAST_WAIT, last).await;
        self.save_or_say();
    }

    /// Reads a page; whether there is more.
    fn read_page(&mut self) -> Result<bool, ReadError> {
        let end = self.reader.last_id()?;
        let until = end.min(self.read_to.saturating_add(PAGE));
        if until > self.read_to {
            self.count(until)?;
            self.read_to = until;
        }
        metrics::gauge!("mailtrail_follow_lag_events", "follower" => "alert").set((end - self.read_to).max(0) as f64);
        Ok(end > self.read_to)
    }

    /// Hands each rule what it asks for of the events up to this id.
    fn count(&mut self, until: i64) -> Result<(), ReadError> {
        let now = Instant::now();
        let nothing = self.names.as_ref().is_some_and(Vec::is_empty);
        let briefs =
            if nothing { Vec::new() } else { self.reader.briefs(self.read_to, until, self.names.as_deref())? };
        // Where every event is meant, the newest one says it all.
        let newest = match self.watches.iter().any(Watch::hears_everything) {
            true => self.reader.last_received(self.read_to)?,
            false => None,
        };
        for watch in &mut self.watches {
            if watch.hears_everything() {
                if let (Some(silence), Some(at)) = (&mut watch.silence, newest) {
                    silence.heard(at);
                }
                continue;
            }
            for event in briefs.iter().filter(|event| event.id > watch.start && watch.rule.matches(event)) {
                match &mut watch.silence {
                    Some(silence) => silence.heard(event.received_at),
                    None => watch.gather.add(event, now),
                }
            }
        }
        Ok(())
    }

    /// Puts on its way what is due; one message a rule at a time.
    fn tell(&mut self) {
        let (now, clock) = (Instant::now(), clock::now_micros());
        for (index, watch) in self.watches.iter_mut().enumerate().filter(|(_, watch)| watch.flight.is_none()) {
            let (notice, first_id) = match &mut watch.silence {
                Some(silence) => match silence.look(&watch.rule, clock) {
                    Some(ops) => (Notice::Ops(ops), None),
                    None => continue,
                },
                None => match watch.gather.take_due(&watch.rule, now) {
                    Some(pending) => (Notice::Alert(pending.tally.told(&watch.rule)), Some(pending.first_id)),
                    None => continue,
                },
            };
            let channels = flight::start(&mut self.flights, &self.notifier, &notice, index);
            // Where nobody is configured for a rule's destination there is nobody to wait for.
            watch.flight = (channels > 0).then_some((channels, first_id));
        }
    }

    /// A channel took the message of a rule.
    fn landed(&mut self, rule: Option<usize>) {
        let Some(watch) = rule.and_then(|rule| self.watches.get_mut(rule)) else {
            tracing::error!("a message of an alert ended in a panic; it is sent again after the next start");
            return;
        };
        watch.flight = watch.flight.and_then(|(left, first)| (left > 1).then_some((left - 1, first)));
        if watch.flight.is_none() {
            self.save_or_say();
        }
    }

    fn save_or_say(&mut self) {
        if let Err(error) = self.save() {
            limited("alert-save", || tracing::error!("alerts may be told again after a restart: {error}"));
        }
    }

    /// Saves each rule's place where it has changed.
    fn save(&mut self) -> Result<(), PlacesError> {
        self.saved_at = Instant::now();
        let mut changed: Vec<(String, Option<i64>)> = Vec::new();
        for watch in &self.watches {
            let to = watch.told_to(self.read_to);
            if to != watch.saved {
                changed.push((watch.place(), Some(to)));
            }
            // Only when it has landed: what is not told is found out again.
            let told = watch.silence.as_ref().and_then(Silence::told_since);
            if watch.flight.is_none() && told != watch.saved_silence {
                changed.push((watch.silence_place(), told));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.places.save(changed.iter().map(|(name, at)| (name.as_str(), *at)))?;
        for watch in &mut self.watches {
            watch.saved = watch.told_to(self.read_to);
            if watch.flight.is_none() {
                watch.saved_silence = watch.silence.as_ref().and_then(Silence::told_since);
            }
        }
        Ok(())
    }
}

/// A rule with what is known of it from before. `end`: the trail's.
fn watch(rule: Rule, reader: &Reader, places: &Places, end: i64, now: i64) -> Result<Watch, StartError> {
    // −1: not saved.
    let mut watch = Watch {
        rule,
        start: end,
        gather: Gather::default(),
        silence: None,
        flight: None,
        saved: -1,
        saved_silence: None,
    };
    match places.get(&watch.place())? {
        Some(place) if place <= end => (watch.start, watch.saved) = (place, place),
        Some(place) => tracing::warn!(
            "the trail ends at event {end}, before the place {place} up to which was told: another trail? Alerts begin at its end"
        ),
        None => {}
    }
    if let Some(after) = watch.rule.silence {
        watch.saved_silence = places.get(&watch.silence_place())?;
        let window = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let last = if watch.rule.is_about_everything() {
            reader.last_received(0)?
        } else {
            let newest = reader.activity(&watch.rule.filter(now.saturating_sub(window)), 1)?;
            newest.value.first().map(|event| event.received_at)
        };
        watch.silence = Some(Silence::new(after, last, watch.saved_silence, now));
    }
    Ok(watch)
}

#[cfg(test)]
mod tests;
