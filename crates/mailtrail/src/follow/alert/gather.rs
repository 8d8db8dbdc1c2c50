//! When a rule's events are told: gathered a little first, then at most one message in a while.

use tokio::time::Instant;

use super::rule::Rule;
use super::tally::Tally;
use crate::store::query::Brief;

/// What a rule has not told yet.
#[derive(Debug, Default)]
pub(super) struct Gather {
    pending: Option<Pending>,
    last_told: Option<Instant>,
}

/// Events since the last message.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) tally: Tally,
    /// The lowest of their places.
    pub(super) first_id: i64,
    since: Instant,
}

impl Gather {
    pub(super) fn add(&mut self, event: &Brief, now: Instant) {
        match &mut self.pending {
            Some(pending) => {
                pending.tally.add(event);
                // They need not come in the order of their places.
                pending.first_id = pending.first_id.min(event.id);
            }
            None => self.pending = Some(Pending { tally: Tally::of(event), first_id: event.id, since: now }),
        }
    }

    /// The lowest place of an event that is not told.
    pub(super) fn first_id(&self) -> Option<i64> {
        self.pending.as_ref().map(|pending| pending.first_id)
    }

    /// What is to be told now.
    pub(super) fn take_due(&mut self, rule: &Rule, now: Instant) -> Option<Pending> {
        let gathered = now.duration_since(self.pending.as_ref()?.since) >= rule.group;
        let rested = self.last_told.is_none_or(|told| now.duration_since(told) >= rule.every);
        if !(gathered && rested) {
            return None;
        }
        self.take_all(now)
    }

    /// All that is not told, due or not.
    pub(super) fn take_all(&mut self, now: Instant) -> Option<Pending> {
        let pending = self.pending.take()?;
        self.last_told = Some(now);
        Some(pending)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::rule::tests::{alert, brief};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_events_are_a_few_messages() {
        let rule = Rule::new(&alert(&["bounce"], &[]));
        let (mut gather, mut told, mut first) = (Gather::default(), Vec::new(), None);
        let start = Instant::now();
        // One a second.
        for id in 1..=1000 {
            let now = Instant::now();
            gather.add(&brief(id, "bounce"), now);
            if let Some(pending) = gather.take_due(&rule, now) {
                first.get_or_insert(now - start);
                told.push((pending.first_id, pending.tally.told(&rule).total()));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(first, Some(Duration::from_secs(30)));
        assert_eq!(told, [(1, 31), (32, 300), (332, 300), (632, 300)]);
        assert_eq!(gather.first_id(), Some(932));
        tokio::time::advance(rule.every).await;
        assert_eq!(gather.take_due(&rule, Instant::now()).expect("due").tally.told(&rule).total(), 69);
        assert_eq!(gather.first_id(), None);
    }
}
