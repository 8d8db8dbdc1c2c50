//! A bulk send as SendGrid would report it: who gets it, what becomes of each, and the events that tell so.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, EventKey};
use crate::message::Message;
use crate::random::Random;

/// The events of a [`BulkMail`] lie within this many seconds after its start.
pub const SPAN_SECONDS: i64 = 12 * 3600;

/// A send to many.
#[derive(Debug, Clone)]
pub struct BulkMail {
    /// Name of the run, sent as the custom arg `mailtrail_run`; `None`: mail of another tool.
    pub run: Option<String>,
    /// Categories of every message.
    pub categories: Vec<String>,
    /// How many recipients; their addresses are made up, in the domains reserved for examples.
    pub recipients: usize,
    /// When the first message was taken, Unix seconds.
    pub start: i64,
    /// The same seed tells the same story.
    pub seed: u64,
    /// How often each fate occurs.
    pub mix: Mix,
}

/// Shares of the fates, in any unit. Each one that is not zero occurs at least once where there are recipients enough.
#[derive(Debug, Clone)]
pub struct Mix {
    /// Delivered at the first attempt.
    pub delivered: u32,
    /// Deferred, then delivered.
    pub deferred_then_delivered: u32,
    /// Deferred, and nothing more until the end of the story.
    pub deferred_for_long: u32,
    /// Refused for good.
    pub bounce: u32,
    /// Refused as a message (a bounce of type `blocked`).
    pub blocked: u32,
    /// Not tried by SendGrid.
    pub dropped: u32,
    /// Delivered, then bounced hours later.
    pub late_bounce: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            delivered: 860,
            deferred_then_delivered: 70,
            deferred_for_long: 10,
            bounce: 25,
            blocked: 15,
            dropped: 15,
            late_bounce: 5,
        }
    }
}

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Got it.
    Delivered,
    /// Nobody knows yet.
    Deferred,
    /// Refused for good, at once or later.
    Bounce,
    /// Refused as a message.
    Blocked,
    /// Not tried.
    Dropped,
}

/// What a [`BulkMail`] came to: the events, and the truth to hold a receiver against.
#[derive(Debug, Clone)]
pub struct Story {
    /// All events, each once, in order of time.
    pub events: Vec<Event>,
    /// Every recipient's address and final outcome.
    pub outcomes: BTreeMap<String, Outcome>,
}

impl Story {
    /// The set of distinct events.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<EventKey> {
        self.events.iter().map(Event::key).collect()
    }

    /// How many recipients came to `outcome`.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.values().filter(|o| **o == outcome).count()
    }
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Delivered,
    DeferredThenDelivered,
    DeferredForLong,
    Bounce,
    Blocked,
    Dropped,
    LateBounce,
}

impl Mix {
    fn shares(&self) -> [(Fate, u32); 7] {
        [
            (Fate::Delivered, self.delivered),
            (Fate::DeferredThenDelivered, self.deferred_then_delivered),
            (Fate::DeferredForLong, self.deferred_for_long),
            (Fate::Bounce, self.bounce),
            (Fate::Blocked, self.blocked),
            (Fate::Dropped, self.dropped),
            (Fate::LateBounce, self.late_bounce),
        ]
    }

    /// One fate a recipient, in random order.
    fn deal(&self, recipients: usize, random: &mut Random) -> Vec<Fate> {
        let shares = self.shares();
        let total: u64 = shares.iter().map(|(_, share)| u64::from(*share)).sum();
        // Each that may occur first, then by lot.
        let mut fates: Vec<Fate> =
            shares.iter().filter(|(_, share)| *share > 0).map(|(fate, _)| *fate).take(recipients).collect();
        while fates.len() < recipients {
            let mut lot = random.below(total);
            let drawn = shares.iter().find(|(_, share)| {
                let hit = lot < u64::from(*share);
                lot = lot.saturating_sub(u64::from(*share));
                hit
            });
            fates.push(drawn.map_or(Fate::Delivered, |(fate, _)| *fate));
        }
        random.shuffle(&mut fates);
        fates
    }
}

impl BulkMail {
    /// A send of `run` to `recipients` at `start` (Unix seconds), in one category named as the run.
    #[must_use]
    pub fn new(run: &str, recipients: usize, start: i64, seed: u64) -> Self {
        Self {
            run: Some(run.to_owned()),
            categories: vec![run.to_owned()],
            recipients,
            start,
            seed,
            mix: Mix::default(),
        }
    }

    /// Plays it.
    #[must_use]
    pub fn play(&self) -> Story {
        let mut random = Random::new(self.seed);
        let fates = self.mix.deal(self.recipients, &mut random);
        let mut events = Vec::with_capacity(self.recipients * 3);
        let mut outcomes = BTreeMap::new();
        for (index, fate) in fates.into_iter().enumerate() {
            let address = address(index as u64, self.seed);
            // SendGrid works through a bulk send at some hundred messages a second; it never takes more than an hour here.
            let at = self.start + ((index / 200) as i64).min(3600);
            let mut message = Message::new(&mut random, &address, at);
            message.categories.clone_from(&self.categories);
            message.custom_args.push(("order_id".to_owned(), format!("A-{}", 100_000 + index)));
            if let Some(run) = &self.run {
                message.custom_args.push(("mailtrail_run".to_owned(), run.clone()));
            }
            let outcome = live_through(fate, &message, at, &mut random, &mut events);
            outcomes.insert(address, outcome);
        }
        // Stable: events of one second stay in the order they were told.
        events.sort_by_key(Event::timestamp);
        Story { events, outcomes }
    }
}

fn live_through(fate: Fate, message: &Message, at: i64, random: &mut Random, events: &mut Vec<Event>) -> Outcome {
    if matches!(fate, Fate::Dropped) {
        events.push(message.dropped(at, random));
        return Outcome::Dropped;
    }
    events.push(message.processed(at));
    let deferrals = match fate {
        Fate::DeferredThenDelivered => 1 + random.below(3) as u32,
        Fate::DeferredForLong => 3 + random.below(3) as u32,
        _ => 0,
    };
    let mut now = at + random.seconds(0, 20);
    for attempt in 0..deferrals {
        events.push(message.deferred(now, attempt, random));
        now += random.seconds(60, 300) << attempt;
    }
    match fate {
        Fate::DeferredForLong => return Outcome::Deferred,
        Fate::Bounce => {
            events.push(message.bounce(now, random));
            return Outcome::Bounce;
        }
        Fate::Blocked => {
            events.push(message.blocked(now, random));
            return Outcome::Blocked;
        }
        Fate::Delivered | Fate::DeferredThenDelivered | Fate::Dropped | Fate::LateBounce => {}
    }
    events.push(message.delivered(now, deferrals, random));
    if matches!(fate, Fate::LateBounce) {
        events.push(message.late_bounce(now + random.seconds(3600, 6 * 3600), random));
        return Outcome::Bounce;
    }
    read(message, now, random, events);
    Outcome::Delivered
}

/// What readers do: some mail providers fetch pictures at once, some people open, some of those click.
fn read(message: &Message, delivered: i64, random: &mut Random, events: &mut Vec<Event>) {
    if random.chance(0.2) {
        events.push(message.open(delivered + random.seconds(1, 60), true, random));
    }
    if !random.chance(0.3) {
        return;
    }
    let opened = delivered + random.seconds(30, 8 * 3600);
    events.push(message.open(opened, false, random));
    if random.chance(0.25) {
        events.push(message.click(opened + random.seconds(2, 300), random));
    }
}

const FIRST: &[&str] = &[
    "aiko", "anna", "bruno", "carla", "daiki", "elena", "farid", "grace", "haruka", "ivan", "jane", "kenji", "lucia",
    "mei", "nora", "omar", "paula", "ren", "sofia", "yuki",
];
const LAST: &[&str] = &[
    "abe", "berg", "costa", "doe", "endo", "fischer", "garcia", "hayashi", "ito", "jones", "kato", "lopez", "mori",
    "novak", "okada", "petit", "rossi", "sato", "tanaka", "weber",
];
const DOMAINS: &[&str] = &["example.com", "example.net", "example.org", "mail.example.com", "mail.example.net"];

/// The address of recipient `index`, distinct for each, in a domain reserved for examples (RFC 2606).
#[must_use]
pub fn address(index: u64, seed: u64) -> String {
    let mut random = Random::new(seed ^ index.wrapping_mul(0x9e37_79b9));
    format!("{}.{}.{index}@{}", random.pick(FIRST), random.pick(LAST), random.pick(DOMAINS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(recipients: usize, seed: u64) -> Story {
        BulkMail::new("spring", recipients, 1_700_000_000, seed).play()
    }

    #[test]
    fn a_seed_tells_the_same_story_and_another_seed_another() {
        assert_eq!(story(50, 1).events, story(50, 1).events);
        assert_ne!(story(50, 1).events, story(50, 2).events);
    }

    #[test]
    fn every_outcome_occurs_even_among_few() {
        let story = story(7, 3);
        assert_eq!(story.outcomes.len(), 7);
        for (outcome, count) in [
            (Outcome::Delivered, 2),
            (Outcome::Deferred, 1),
            (Outcome::Bounce, 2),
            (Outcome::Blocked, 1),
            (Outcome::Dropped, 1),
        ] {
            assert_eq!(story.count(outcome), count, "{outcome:?}");
        }
    }

    #[test]
    fn events_are_distinct_in_order_and_within_the_span() {
        let story = story(2000, 4);
        assert_eq!(story.keys().len(), story.events.len());
        assert!(story.events.is_sorted_by_key(Event::timestamp));
        assert!(story.events.iter().all(|e| (0..SPAN_SECONDS).contains(&(e.timestamp() - 1_700_000_000))));
    }

    /// The truth, worked out anew from the events alone.
    #[test]
    fn the_outcomes_follow_from_the_events() {
        let story = story(2000, 5);
        let mut worst: BTreeMap<&str, Outcome> = BTreeMap::new();
        for event in &story.events {
            let outcome = match (event.name(), event.text("type")) {
                ("deferred", _) => Outcome::Deferred,
                ("delivered", _) => Outcome::Delivered,
                ("bounce", Some("blocked")) => Outcome::Blocked,
                ("bounce", _) => Outcome::Bounce,
                ("dropped", _) => Outcome::Dropped,
                _ => continue,
            };
            worst.insert(event.text("email").expect("mail events have one"), outcome);
        }
        assert_eq!(worst.len(), 2000);
        assert!(worst.iter().all(|(email, outcome)| story.outcomes[*email] == *outcome));
    }

    #[test]
    fn some_reasons_repeat_the_address() {
        let story = story(500, 6);
        let repeated = story.events.iter().filter(|e| {
            let text = e.text("reason").or_else(|| e.text("response")).unwrap_or_default();
            e.text("email").is_some_and(|email| text.contains(email))
        });
        assert!(repeated.count() > 20);
        assert!(story.outcomes.keys().all(|a| DOMAINS.iter().any(|d| a.ends_with(d))));
    }
}
