//! The loop: read, count, tell what is due, save how far everything was told.

use std::time::Duration;

use tokio::time::Instant;

use super::StartError;
use super::flight::{self, Flights};
use super::rule::{self, Rule};
use super::watch::Watch;
use crate::clock;
use crate::config::Alert;
use crate::log::limited;
use crate::notify::Notifier;
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
            watches.push(Watch::begin(Rule::new(alert), &reader, &places, end, now)?);
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
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(landed) = self.flights.join_next() => self.landed(landed.ok()),
                () = pause(behind) => {}
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
            match newest.filter(|_| watch.hears_everything()) {
                Some(at) => watch.heard_at(at),
                None => briefs.iter().for_each(|event| watch.take(event, now)),
            }
        }
        Ok(())
    }

    /// Puts on its way what is due; one message a rule at a time.
    fn tell(&mut self) {
        let (now, clock) = (Instant::now(), clock::now_micros());
        for (index, watch) in self.watches.iter_mut().enumerate().filter(|(_, watch)| watch.flight.is_none()) {
            let Some((notice, first_id)) = watch.due(now, clock) else { continue };
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
        if watch.landed() {
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
        let changed: Vec<(String, Option<i64>)> =
            self.watches.iter().flat_map(|watch| watch.to_save(self.read_to)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.places.save(changed.iter().map(|(name, at)| (name.as_str(), *at)))?;
        self.watches.iter_mut().for_each(|watch| watch.note_saved(self.read_to));
        Ok(())
    }
}

/// Before the next page: none where there is one already, but messages have their turn.
async fn pause(behind: bool) {
    if behind {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
