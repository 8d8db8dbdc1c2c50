//! A bulk send as SendGrid would report it: who gets it, what becomes of each, and the events that tell so.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, EventKey};
pub use crate::fate::{Mix, Outcome};
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
            let outcome = fate.live_through(&message, at, &mut random, &mut events);
            outcomes.insert(address, outcome);
        }
        // Stable: events of one second stay in the order they were told.
        events.sort_by_key(Event::timestamp);
        Story { events, outcomes }
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
