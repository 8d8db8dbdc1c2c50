//! The loop: read, count, tell what is due, save how far everything was told.

use std::time::Duration;

use tokio::time::Instant;

use super::flight::{self, Flights, Landed};
use super::rule::{self, Rule};
use super::source::{Page, Source, SourceError, Wanted};
use super::watch::{Flight, Watch};
use crate::clock;
use crate::config::Alert;
use crate::log::limited;
use crate::notify::Notifier;
use crate::stop::Stop;

/// How soon it is noticed that a message is due.
const TICK: Duration = Duration::from_millis(250);
/// How long messages on their way are waited for at the end; what is not told then is told after the next start.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// Reads a store for all rules.
pub(super) struct Follower<S> {
    source: S,
    notifier: Notifier,
    watches: Vec<Watch>,
    names: Option<Vec<String>>,
    flights: Flights,
    /// Every event up to this place was read.
    read_to: i64,
    saved_at: Instant,
    /// Another one follows now.
    lost: Option<SourceError>,
}

impl<S: Source> Follower<S> {
    /// Rules without a saved place begin at the store's end, and have it saved when this returns.
    pub(super) async fn new(alerts: &[Alert], mut source: S, notifier: Notifier) -> Result<Self, SourceError> {
        let (end, now) = (source.end().await?, clock::now_micros());
        let mut watches = Vec::new();
        for alert in alerts {
            let rule = Rule::new(alert);
            // Where nobody is configured for a rule's destination there is nobody to tell.
            for channel in notifier.channels_of(rule.destination()) {
                watches.push(Watch::begin(rule.clone(), channel, &mut source, end, now).await?);
            }
        }
        let kept: Vec<String> = watches.iter().flat_map(Watch::places).collect();
        let names = rule::names(watches.iter().map(|watch| &watch.rule));
        let read_to = watches.iter().map(|watch| watch.start).min().unwrap_or(end);
        let (flights, saved_at) = (Flights::new(), Instant::now());
        let mut follower = Self { source, notifier, watches, names, flights, read_to, saved_at, lost: None };
        follower.save().await?;
        // Only now: what earlier versions saved is saved under its new name.
        follower.source.keep_only(&kept).await?;
        Ok(follower)
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// When another one follows now.
    pub(super) async fn run(&mut self, mut stop: Stop) -> Result<(), SourceError> {
        metrics::gauge!("mailtrail_follow_lag_events", "follower" => "alert").set(0.0);
        let rhythm = self.source.rhythm();
        let mut next_look = Instant::now();
        while self.lost.is_none() {
            if Instant::now() >= next_look {
                let read = tokio::select! {
                    biased;
                    () = stop.requested() => break,
                    read = self.read_page() => read,
                };
                let behind = read.unwrap_or_else(|error| {
                    limited("alert-read", || tracing::error!("alerts wait, since events cannot be read: {error}"));
                    false
                });
                next_look = Instant::now() + if behind { Duration::ZERO } else { rhythm.look };
            }
            self.tell(false);
            if self.saved_at.elapsed() >= rhythm.save {
                self.save_or_say().await;
            }
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(landed) = self.flights.join_next() => self.landed(landed.ok()).await,
                () = pause(next_look) => {}
            }
        }
        self.end(LAST_WAIT).await
    }

    /// Reads all there is, tells it at once, and ends.
    ///
    /// # Errors
    /// When something cannot be read or saved, or another one follows now. What was not told is told the next time.
    pub(super) async fn once(&mut self, patience: Duration) -> Result<Once, SourceError> {
        while self.read_page().await? {}
        self.tell(true);
        let (on_the_way, mut told) = (self.flights.len(), 0);
        let until = Instant::now() + patience;
        while let Ok(Some(landed)) = tokio::time::timeout_at(until, self.flights.join_next()).await {
            told += usize::from(landed.as_ref().is_ok_and(|landed| landed.told));
            self.landed(landed.ok()).await;
        }
        self.save().await?;
        Ok(Once { told, untold: on_the_way - told })
    }

    /// Where events come from.
    pub(super) fn source(&self) -> &S {
        &self.source
    }

    /// Ends it.
    pub(super) fn into_source(self) -> S {
        self.source
    }

    /// Which events are asked for; `None`: all.
    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Waits a little for messages on their way. What is still on its way then was not told, and is told after the next start.
    async fn end(&mut self, patience: Duration) -> Result<(), SourceError> {
        let until = Instant::now() + patience;
        while let Ok(Some(landed)) = tokio::time::timeout_at(until, self.flights.join_next()).await {
            self.landed(landed.ok()).await;
        }
        if self.lost.is_none() {
            self.save_or_say().await;
        }
        self.lost.take().map_or(Ok(()), Err)
    }

    /// Reads a page; whether there is more.
    async fn read_page(&mut self) -> Result<bool, SourceError> {
        let wanted = Wanted {
            after: self.read_to,
            names: self.names.as_deref(),
            newest: self.watches.iter().any(Watch::hears_everything),
        };
        let page = self.source.read(wanted).await?;
        self.count(&page);
        self.read_to = page.read_to;
        metrics::gauge!("mailtrail_follow_lag_events", "follower" => "alert").set(page.behind as f64);
        Ok(page.behind > 0)
    }

    /// Hands each rule what it asks for.
    fn count(&mut self, page: &Page) {
        let now = Instant::now();
        for watch in &mut self.watches {
            // Where every event is meant, the newest one says it all.
            match page.newest.filter(|_| watch.hears_everything()) {
                Some(at) => watch.heard_at(at),
                None => page.events.iter().for_each(|event| watch.take(event, now)),
            }
        }
    }

    /// Puts on its way what is due; one message a rule at a time.
    fn tell(&mut self, hurry: bool) {
        let (now, clock) = (Instant::now(), clock::now_micros());
        for (index, watch) in self.watches.iter_mut().enumerate().filter(|(_, watch)| watch.flight.is_none()) {
            let Some((notice, first_id)) = watch.due(now, clock, hurry) else { continue };
            flight::start(&mut self.flights, &self.notifier, watch.channel, notice, index);
            watch.flight = Some(Flight { first_id });
        }
    }

    /// A destination took or refused the message of a rule.
    async fn landed(&mut self, landed: Option<Landed>) {
        let Some(watch) = landed.and_then(|landed| self.watches.get_mut(landed.watch)) else {
            tracing::error!("a message of an alert ended in a panic; it is sent again after the next start");
            return;
        };
        watch.landed();
        self.save_or_say().await;
    }

    async fn save_or_say(&mut self) {
        match self.save().await {
            Err(error) if error.is_lost() => self.lost = Some(error),
            Err(error) => {
                limited("alert-save", || tracing::error!("alerts may be told again after a restart: {error}"));
            }
            Ok(()) => {}
        }
    }

    /// Saves each rule's place where it has changed.
    async fn save(&mut self) -> Result<(), SourceError> {
        self.saved_at = Instant::now();
        let changed: Vec<(String, Option<i64>)> =
            self.watches.iter().flat_map(|watch| watch.to_save(self.read_to)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.source.save(&changed).await?;
        self.watches.iter_mut().for_each(|watch| watch.note_saved(self.read_to));
        Ok(())
    }
}

/// What one round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Messages that a channel took.
    pub told: usize,
    /// Messages that a channel refused, or has not taken in time.
    pub untold: usize,
}

/// Before the next look: none where there is more already, but messages have their turn.
async fn pause(next_look: Instant) {
    if next_look <= Instant::now() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep_until(next_look.min(Instant::now() + TICK)).await;
    }
}

#[cfg(test)]
mod tests;
