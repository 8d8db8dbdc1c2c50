//! What may happen to a message on its way, how often each occurs, and the events that tell it.

use crate::event::Event;
use crate::message::Message;
use crate::random::Random;

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

/// What happens to a message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Delivered at the first attempt; some are opened and clicked.
    Delivered,
    /// Deferred once or a few times, then delivered.
    DeferredThenDelivered,
    /// Deferred, and nothing more until the end of the story.
    DeferredForLong,
    /// Refused for good.
    Bounce,
    /// Refused as a message (a bounce of type `blocked`).
    Blocked,
    /// Not tried by SendGrid.
    Dropped,
    /// Delivered, then bounced hours later.
    LateBounce,
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
    pub(crate) fn deal(&self, recipients: usize, random: &mut Random) -> Vec<Fate> {
        let shares = self.shares();
        // Each that may occur first, then by lot.
        let mut fates: Vec<Fate> =
            shares.iter().filter(|(_, share)| *share > 0).map(|(fate, _)| *fate).take(recipients).collect();
        while fates.len() < recipients {
            fates.push(self.draw(random));
        }
        random.shuffle(&mut fates);
        fates
    }

    /// One fate for each of so many recipients, in random order; each that may occur does where they are enough. The same seed
    /// deals the same.
    #[must_use]
    pub fn deal_to(&self, recipients: usize, seed: u64) -> Vec<Fate> {
        self.deal(recipients, &mut Random::new(seed))
    }

    /// The fate of an address: the same for the same seed, however often and in whatever order one asks.
    #[must_use]
    pub fn of(&self, address: &str, seed: u64) -> Fate {
        // FNV-1a: spreads texts over seeds, and is the same on every machine.
        let hash = address
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        self.draw(&mut Random::new(hash ^ seed))
    }

    /// One fate, by lot.
    #[must_use]
    pub fn draw(&self, random: &mut Random) -> Fate {
        let shares = self.shares();
        let total: u64 = shares.iter().map(|(_, share)| u64::from(*share)).sum();
        let mut lot = random.below(total);
        let drawn = shares.iter().find(|(_, share)| {
            let hit = lot < u64::from(*share);
            lot = lot.saturating_sub(u64::from(*share));
            hit
        });
        drawn.map_or(Fate::Delivered, |(fate, _)| *fate)
    }
}

impl Fate {
    /// The events of one message with this fate, in order, after what `events` holds; and what they come to.
    pub(crate) fn live_through(
        self,
        message: &Message,
        at: i64,
        random: &mut Random,
        events: &mut Vec<Event>,
    ) -> Outcome {
        if matches!(self, Self::Dropped) {
            events.push(message.dropped(at, random));
            return Outcome::Dropped;
        }
        events.push(message.processed(at));
        let deferrals = match self {
            Fate::DeferredThenDelivered => 1 + random.below(3) as u32,
            Fate::DeferredForLong => 3 + random.below(3) as u32,
            _ => 0,
        };
        let mut now = at + random.seconds(0, 20);
        for attempt in 0..deferrals {
            events.push(message.deferred(now, attempt, random));
            now += random.seconds(60, 300) << attempt;
        }
        match self {
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
        if matches!(self, Fate::LateBounce) {
            events.push(message.late_bounce(now + random.seconds(3600, 6 * 3600), random));
            return Outcome::Bounce;
        }
        read(message, now, random, events);
        Outcome::Delivered
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fate_of_an_address_hangs_on_the_seed_alone_and_keeps_the_shares() {
        let mix = Mix::default();
        let fates = |seed| (0..1000).map(move |n| mix_of(n, seed)).collect::<Vec<_>>();
        fn mix_of(n: u32, seed: u64) -> Fate {
            Mix::default().of(&format!("jane.{n}@example.com"), seed)
        }
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
        let delivered = fates(1).iter().filter(|fate| **fate == Fate::Delivered).count();
        assert!((820..900).contains(&delivered), "{delivered} of 1000 at {}", mix.delivered);
    }
}
