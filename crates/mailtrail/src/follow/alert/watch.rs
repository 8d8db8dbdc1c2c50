//! One rule at work: what it has not told, and how far it has.

use tokio::time::Instant;

use super::gather::Gather;
use super::rule::Rule;
use super::silence::Silence;
use super::source::{Arrived, Source, SourceError};
use crate::clock::micros;
use crate::notify::{Channel, Notice};

/// A rule for one destination, with its state: each destination has a place of its own, so that none waits for another.
pub(super) struct Watch {
    pub(super) rule: Rule,
    pub(super) channel: Channel,
    /// Events up to this place were told before.
    pub(super) start: i64,
    /// Nothing was told before: what came in before the start is not its own, however late it is seen.
    is_new: bool,
    gather: Gather,
    silence: Option<Silence>,
    /// The message on its way.
    pub(super) flight: Option<Flight>,
    /// Whether it is kept when its events were last heard of.
    keeps_heard: bool,
    /// As saved.
    saved: Option<i64>,
    saved_silence: Option<i64>,
    saved_heard: Option<i64>,
    saved_awaited: Option<i64>,
}

/// A message on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    /// The place of its first event; none: about silence.
    pub(super) first_id: Option<i64>,
}

impl Watch {
    /// A rule with what is known of it from before. `end`: the place behind which all is new; `now`: µs since the epoch.
    pub(super) async fn begin<S: Source>(
        rule: Rule,
        channel: Channel,
        source: &mut S,
        end: i64,
        now: i64,
    ) -> Result<Self, SourceError> {
        let mut watch = Self {
            rule,
            channel,
            start: end,
            is_new: false,
            gather: Gather::default(),
            silence: None,
            flight: None,
            keeps_heard: source.keeps_heard(),
            saved: None,
            saved_silence: None,
            saved_heard: None,
            saved_awaited: None,
        };
        watch.saved = source.place(&watch.place()).await?;
        let place = match watch.saved {
            Some(place) => Some(place),
            None => source.place(&watch.shared("alert")).await?,
        };
        match place {
            Some(place) if place <= end => watch.start = place,
            Some(place) => tracing::warn!(
                "there are events up to {end} only, before the place {place} up to which was told: another store, or a clock that \
                 went back? Alerts begin at its end"
            ),
            None => watch.is_new = true,
        }
        if let Some(after) = watch.rule.silence {
            watch.saved_silence = source.place(&watch.silence_place()).await?;
            let told = match watch.saved_silence {
                Some(told) => Some(told),
                None => source.place(&watch.shared("silence")).await?,
            };
            if watch.keeps_heard {
                watch.saved_heard = source.place(&watch.heard_place()).await?;
                watch.saved_awaited = source.place(&watch.awaited_place()).await?;
            }
            let last = source.heard(&watch.rule, now.saturating_sub(micros(after))).await?.max(watch.saved_heard);
            let started = watch.saved_awaited.unwrap_or(now);
            let not_before = now.saturating_add(micros(after.min(source.rhythm().grace)));
            watch.silence = Some(Silence::new(after, last, told, started, not_before));
        }
        Ok(watch)
    }

    /// What its place is saved as.
    pub(super) fn place(&self) -> String {
        self.own("alert")
    }

    fn own(&self, what: &str) -> String {
        format!("{what}@{}/{}", self.channel.key(), self.rule.id)
    }

    /// As versions saved it that had one place for all destinations of a rule.
    fn shared(&self, what: &str) -> String {
        format!("{what}/{}", self.rule.id)
    }

    /// What the silence is saved as that was told.
    pub(super) fn silence_place(&self) -> String {
        self.own("silence")
    }

    /// What is saved of when its events were last heard of.
    fn heard_place(&self) -> String {
        self.own("heard")
    }

    /// What is saved of since when the first one is waited for.
    fn awaited_place(&self) -> String {
        self.own("awaited")
    }

    /// All that is saved of it.
    pub(super) fn places(&self) -> [String; 4] {
        [self.place(), self.silence_place(), self.heard_place(), self.awaited_place()]
    }

    /// Whether it watches for silence of every event.
    pub(super) fn hears_everything(&self) -> bool {
        self.rule.silence.is_some() && self.rule.is_about_everything()
    }

    /// Takes an event, where the rule asks for it.
    pub(super) fn take(&mut self, arrived: &Arrived, now: Instant) {
        let event = &arrived.brief;
        let before = event.id <= self.start && (arrived.known || self.is_new);
        if before || !self.rule.matches(event) {
            return;
        }
        match &mut self.silence {
            Some(silence) => silence.heard(event.received_at),
            None => self.gather.add(event, now),
        }
    }

    /// An event came in, µs since the epoch.
    pub(super) fn heard_at(&mut self, at: i64) {
        if let Some(silence) = &mut self.silence {
            silence.heard(at);
        }
    }

    /// What is to be told now, with the place of its first event. `clock`: µs since the epoch; `hurry`: without gathering more.
    pub(super) fn due(&mut self, now: Instant, clock: i64, hurry: bool) -> Option<(Notice, Option<i64>)> {
        match &mut self.silence {
            Some(silence) => silence.look(&self.rule, clock).map(|ops| (Notice::Ops(ops), None)),
            None => {
                let pending = if hurry { self.gather.take_all(now)? } else { self.gather.take_due(&self.rule, now)? };
                Some((Notice::Alert(pending.tally.told(&self.rule)), Some(pending.first_id)))
            }
        }
    }

    /// The message is not on its way any more.
    pub(super) fn landed(&mut self) {
        self.flight = None;
    }

    /// Places that have changed. `read_to`: every event up to this place was taken.
    pub(super) fn to_save(&self, read_to: i64) -> Vec<(String, Option<i64>)> {
        let mut changed = Vec::new();
        let told_to = Some(self.told_to(read_to));
        if told_to != self.saved {
            changed.push((self.place(), told_to));
        }
        if self.silence_told() != self.saved_silence {
            changed.push((self.silence_place(), self.silence_told()));
        }
        if self.keeps_heard && self.heard() != (self.saved_heard, self.saved_awaited) {
            let (heard, awaited) = self.heard();
            changed.extend([(self.heard_place(), heard), (self.awaited_place(), awaited)]);
        }
        changed
    }

    /// What [`to_save`](Self::to_save) says was saved.
    pub(super) fn note_saved(&mut self, read_to: i64) {
        self.saved = Some(self.told_to(read_to));
        self.saved_silence = self.silence_told();
        (self.saved_heard, self.saved_awaited) = self.heard();
    }

    /// When its events were last heard of, or else since when they are waited for.
    fn heard(&self) -> (Option<i64>, Option<i64>) {
        self.silence.as_ref().map_or((None, None), Silence::heard_or_awaited)
    }

    /// All of this rule's events up to this place were told.
    fn told_to(&self, read_to: i64) -> i64 {
        let untold = [self.gather.first_id(), self.flight.and_then(|flight| flight.first_id)];
        untold.into_iter().flatten().map(|id| id - 1).fold(read_to, i64::min).max(self.start)
    }

    /// Since when it is silent, where people know it. What is still on its way is found out again after a start.
    fn silence_told(&self) -> Option<i64> {
        match self.flight {
            Some(_) => self.saved_silence,
            None => self.silence.as_ref().and_then(Silence::told_since),
        }
    }
}
