//! One rule at work: what it has not told, and how far it has.

use tokio::time::Instant;

use super::StartError;
use super::gather::Gather;
use super::rule::Rule;
use super::silence::Silence;
use crate::notify::Notice;
use crate::store::Places;
use crate::store::query::Brief;
use crate::store::sqlite::Reader;

/// A rule with its state.
pub(super) struct Watch {
    pub(super) rule: Rule,
    /// Events up to this id were told before.
    pub(super) start: i64,
    gather: Gather,
    silence: Option<Silence>,
    /// How many channels have not taken the message on its way, and the id of its first event (none: about silence).
    pub(super) flight: Option<(usize, Option<i64>)>,
    /// As in the file of places.
    saved: Option<i64>,
    saved_silence: Option<i64>,
}

impl Watch {
    /// A rule with what is known of it from before. `end`: the trail's.
    pub(super) fn begin(rule: Rule, reader: &Reader, places: &Places, end: i64, now: i64) -> Result<Self, StartError> {
        let mut watch = Self {
            rule,
            start: end,
            gather: Gather::default(),
            silence: None,
            flight: None,
            saved: None,
            saved_silence: None,
        };
        watch.saved = places.get(&watch.place())?;
        match watch.saved {
            Some(place) if place <= end => watch.start = place,
            Some(place) => tracing::warn!(
                "the trail ends at event {end}, before the place {place} up to which was told: another trail? Alerts \
                 begin at its end"
            ),
            None => {}
        }
        if let Some(after) = watch.rule.silence {
            watch.saved_silence = places.get(&watch.silence_place())?;
            let window = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
            let last = if watch.hears_everything() {
                reader.last_received(0)?
            } else {
                let newest = reader.activity(&watch.rule.filter(now.saturating_sub(window)), 1)?;
                newest.value.first().map(|event| event.received_at)
            };
            watch.silence = Some(Silence::new(after, last, watch.saved_silence, now));
        }
        Ok(watch)
    }

    /// What its place is saved as.
    pub(super) fn place(&self) -> String {
        format!("alert/{}", self.rule.id)
    }

    /// What the silence is saved as that was told.
    pub(super) fn silence_place(&self) -> String {
        format!("silence/{}", self.rule.id)
    }

    /// Whether it watches for silence of every event.
    pub(super) fn hears_everything(&self) -> bool {
        self.rule.silence.is_some() && self.rule.is_about_everything()
    }

    /// Takes an event, where the rule asks for it.
    pub(super) fn take(&mut self, event: &Brief, now: Instant) {
        if event.id <= self.start || !self.rule.matches(event) {
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

    /// What is to be told now, with the id of its first event. `clock`: µs since the epoch.
    pub(super) fn due(&mut self, now: Instant, clock: i64) -> Option<(Notice, Option<i64>)> {
        match &mut self.silence {
            Some(silence) => silence.look(&self.rule, clock).map(|ops| (Notice::Ops(ops), None)),
            None => {
                let pending = self.gather.take_due(&self.rule, now)?;
                Some((Notice::Alert(pending.tally.told(&self.rule)), Some(pending.first_id)))
            }
        }
    }

    /// A channel took the message; whether all have.
    pub(super) fn landed(&mut self) -> bool {
        self.flight = self.flight.and_then(|(left, first)| (left > 1).then_some((left - 1, first)));
        self.flight.is_none()
    }

    /// Places that have changed. `read_to`: every event up to this id was taken.
    pub(super) fn to_save(&self, read_to: i64) -> Vec<(String, Option<i64>)> {
        let mut changed = Vec::new();
        let told_to = Some(self.told_to(read_to));
        if told_to != self.saved {
            changed.push((self.place(), told_to));
        }
        if self.silence_told() != self.saved_silence {
            changed.push((self.silence_place(), self.silence_told()));
        }
        changed
    }

    /// What [`to_save`](Self::to_save) says was saved.
    pub(super) fn note_saved(&mut self, read_to: i64) {
        self.saved = Some(self.told_to(read_to));
        self.saved_silence = self.silence_told();
    }

    /// All of this rule's events up to this id were told.
    fn told_to(&self, read_to: i64) -> i64 {
        let untold = [self.gather.first_id(), self.flight.and_then(|(_, first)| first)];
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
