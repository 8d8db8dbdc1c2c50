//! Events → the POSTs that carry them: batched, and, where asked, out of order and repeated as SendGrid does.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::event::{self, BODY_FRAME, BODY_SEPARATOR, Event, EventKey, MAX_POST_BYTES};
use crate::random::Random;

/// How events are spread over POSTs.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Most events in one POST.
    pub batch_events: usize,
    /// Most bytes in one POST; a single event beyond it goes alone.
    pub batch_bytes: usize,
    /// How many places an event may fall behind; above 0, `delivered` also comes before `processed` within a POST.
    pub disorder: u64,
    /// Share of POSTs that are sent twice.
    pub repeated_posts: f64,
    /// Share of events that come again in another POST.
    pub repeated_events: f64,
    /// Share of events that come again under another `sg_event_id`.
    pub renamed_events: f64,
    /// The same seed gives the same POSTs.
    pub seed: u64,
}

impl Default for Shape {
    /// In order, each once.
    fn default() -> Self {
        Self {
            batch_events: 1000,
            batch_bytes: MAX_POST_BYTES,
            disorder: 0,
            repeated_posts: 0.0,
            repeated_events: 0.0,
            renamed_events: 0.0,
            seed: 0,
        }
    }
}

impl Shape {
    /// As bad as live traffic has been reported to be.
    #[must_use]
    pub fn live(batch_events: usize, seed: u64) -> Self {
        Self {
            batch_events,
            disorder: 50,
            repeated_posts: 0.05,
            repeated_events: 0.05,
            renamed_events: 0.0,
            seed,
            ..Self::default()
        }
    }
}

/// The POSTs, ready to be signed.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order they are first tried.
    pub posts: Vec<Post>,
    /// The keys under which events come a second time ([`Shape::renamed_events`]): a receiver sees them as events more.
    pub renamed: BTreeSet<EventKey>,
}

/// One POST.
#[derive(Clone)]
pub struct Post {
    /// The body.
    pub body: Bytes,
    /// The events in it.
    pub keys: Vec<EventKey>,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Post({} events, {} bytes)", self.keys.len(), self.body.len())
    }
}

impl Plan {
    /// Spreads `events` over POSTs.
    #[must_use]
    pub fn new(events: &[Event], shape: &Shape) -> Self {
        let mut random = Random::new(shape.seed ^ 0x706c_616e);
        let mut renamed = BTreeSet::new();
        let queue = queue(events, shape, &mut random, &mut renamed);
        let mut posts = Vec::new();
        let mut batch = Batch::default();
        for event in queue {
            if !batch.takes(&event, shape) {
                posts.push(std::mem::take(&mut batch).into_post(shape));
            }
            batch.push(event);
        }
        if !batch.events.is_empty() {
            posts.push(batch.into_post(shape));
        }
        Self { posts: repeat_posts(posts, shape.repeated_posts, &mut random), renamed }
    }

    /// How many elements all POSTs hold, repeats included.
    #[must_use]
    pub fn events(&self) -> usize {
        self.posts.iter().map(|post| post.keys.len()).sum()
    }

    /// The distinct events in all POSTs.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<EventKey> {
        self.posts.iter().flat_map(|post| post.keys.iter().cloned()).collect()
    }
}

/// The events in the order they are told, repeats among them.
fn queue(events: &[Event], shape: &Shape, random: &mut Random, renamed: &mut BTreeSet<EventKey>) -> Vec<Event> {
    let mut places: Vec<(u64, Event)> = Vec::with_capacity(events.len());
    let behind = shape.batch_events as u64;
    for (index, event) in events.iter().enumerate() {
        let place = index as u64 + random.below(shape.disorder + 1);
        places.push((place, event.clone()));
        if random.chance(shape.repeated_events) {
            places.push((place + behind + random.below(4 * behind), event.clone()));
        }
        if event.text("sg_event_id").is_some() && random.chance(shape.renamed_events) {
            let id = format!("{:016x}{:06x}", random.bits(), random.below(1 << 24));
            let again = event.clone().with("sg_event_id", id);
            renamed.insert(again.key());
            places.push((place + behind + random.below(4 * behind), again));
        }
    }
    places.sort_by_key(|(place, _)| *place);
    places.into_iter().map(|(_, event)| event).collect()
}

fn repeat_posts(posts: Vec<Post>, share: f64, random: &mut Random) -> Vec<Post> {
    let mut all = Vec::with_capacity(posts.len());
    for post in posts {
        let again = random.chance(share).then(|| post.clone());
        all.push(post);
        all.extend(again);
    }
    all
}

#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    keys: BTreeSet<EventKey>,
    bytes: usize,
}

impl Batch {
    fn takes(&self, event: &Event, shape: &Shape) -> bool {
        let bytes = BODY_FRAME + self.bytes + event.to_json().len();
        self.events.is_empty()
            || (self.events.len() < shape.batch_events
                && bytes <= shape.batch_bytes
                // An event that comes again comes in another POST.
                && !self.keys.contains(&event.key()))
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.to_json().len() + BODY_SEPARATOR;
        self.keys.insert(event.key());
        self.events.push(event);
    }

    fn into_post(mut self, shape: &Shape) -> Post {
        if shape.disorder > 0 {
            delivered_first(&mut self.events);
        }
        let keys = self.events.iter().map(Event::key).collect();
        Post { body: event::body(&self.events).into(), keys }
    }
}

/// Swaps `processed` and `delivered` of the same message, as both published captures of 2025 have them.
fn delivered_first(events: &mut [Event]) {
    let mut processed = BTreeMap::new();
    let mut swaps = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let Some(message) = event.text("sg_message_id") else { continue };
        match event.name() {
            "processed" => {
                processed.insert(message, index);
            }
            "delivered" => swaps.extend(processed.get(message).map(|first| (*first, index))),
            _ => {}
        }
    }
    for (first, second) in swaps {
        events.swap(first, second);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bulk::BulkMail;

    fn story(recipients: usize, seed: u64) -> Vec<Event> {
        BulkMail::new("spring", recipients, 1_700_000_000, seed).play().events
    }

    #[test]
    fn by_default_each_event_goes_once_and_in_order() {
        let events = story(100, 1);
        let plan = Plan::new(&events, &Shape { batch_events: 30, ..Shape::default() });
        let sent: Vec<EventKey> = plan.posts.iter().flat_map(|p| p.keys.clone()).collect();
        assert_eq!(sent, events.iter().map(Event::key).collect::<Vec<_>>());
        assert!(plan.posts[..plan.posts.len() - 1].iter().all(|p| p.keys.len() == 30));
    }

    #[test]
    fn live_traffic_has_delivered_before_processed() {
        let plan = Plan::new(&story(100, 2), &Shape::live(100, 2));
        let before = |post: &Post| {
            let text = String::from_utf8_lossy(&post.body).into_owned();
            text.find("\"delivered\"") < text.find("\"processed\"")
        };
        assert!(plan.posts.iter().any(before));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_limits_hold(
            recipients in 1_usize..60,
            batch_events in 1_usize..50,
            batch_bytes in 500_usize..20_000,
            disorder in 0_u64..40,
            share in 0.0..0.5_f64,
            seed: u64,
        ) {
            let events = story(recipients, seed);
            let shape = Shape {
                batch_events, batch_bytes, disorder, seed,
                repeated_posts: share, repeated_events: share, renamed_events: share,
            };
            let plan = Plan::new(&events, &shape);
            let mut expected: BTreeSet<EventKey> = events.iter().map(Event::key).collect();
            prop_assert!(expected.is_disjoint(&plan.renamed));
            expected.extend(plan.renamed.iter().cloned());
            prop_assert_eq!(plan.keys(), expected);
            for post in &plan.posts {
                prop_assert!(post.keys.len() <= batch_events);
                prop_assert!(post.body.len() <= batch_bytes || post.keys.len() == 1, "{:?}", post);
                let distinct: BTreeSet<&EventKey> = post.keys.iter().collect();
                prop_assert_eq!(distinct.len(), post.keys.len(), "an event twice in one POST");
                let read = sendgrid_events::Batch::parse(&post.body);
                prop_assert_eq!(read.items.len(), post.keys.len());
                prop_assert!(read.items.iter().all(|i| matches!(i, sendgrid_events::Item::Event(_))));
            }
            let again = Plan::new(&events, &shape);
            prop_assert!(again.posts.iter().map(|p| &p.body).eq(plan.posts.iter().map(|p| &p.body)));
        }
    }
}
