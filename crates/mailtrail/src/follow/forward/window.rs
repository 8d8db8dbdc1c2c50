//! Which batches are on their way, and how far the saved place may move.

use std::collections::VecDeque;

use super::source::Batch;
use crate::store::sqlite::RefusedEvent;

/// What came of a batch.
pub(super) struct Landed {
    /// Events that BigQuery will not take; the others it has.
    pub(super) refused: Vec<RefusedEvent>,
}

/// The batches handed out and not yet saved, in the trail's order.
pub(super) struct Window {
    batches: VecDeque<Slot>,
    /// Number of the first batch in there.
    first: u64,
    handed_out: i64,
    saved_to: Option<i64>,
    refused: Vec<RefusedEvent>,
}

struct Slot {
    last_id: i64,
    received_at: i64,
    landed: bool,
}

impl Window {
    /// All events up to this id were handed out before.
    pub(super) fn behind(id: i64) -> Self {
        Self { batches: VecDeque::new(), first: 0, handed_out: id, saved_to: None, refused: Vec::new() }
    }

    pub(super) fn add(&mut self, batch: &Batch) -> u64 {
        self.handed_out = batch.last_id;
        self.batches.push_back(Slot { last_id: batch.last_id, received_at: batch.received_at, landed: false });
        self.first + self.batches.len() as u64 - 1
    }

    pub(super) fn landed(&mut self, landed: Result<(u64, Landed), tokio::task::JoinError>) {
        let (number, landed) = match landed {
            Ok(landed) => landed,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let place = usize::try_from(number - self.first).ok();
        if let Some(slot) = place.and_then(|place| self.batches.get_mut(place)) {
            slot.landed = true;
        }
        self.refused.extend(landed.refused);
        while self.batches.front().is_some_and(|slot| slot.landed) {
            self.saved_to = self.batches.pop_front().map(|slot| slot.last_id);
            self.first += 1;
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.saved_to.is_some()
    }

    /// Where the place moves to, with all that was refused before it (and perhaps a little behind it: noted twice is noted once).
    pub(super) fn take_news(&mut self) -> Option<(i64, Vec<RefusedEvent>)> {
        Some((self.saved_to.take()?, std::mem::take(&mut self.refused)))
    }

    pub(super) fn oldest_received_at(&self) -> Option<i64> {
        self.batches.front().map(|slot| slot.received_at)
    }

    pub(super) fn handed_out(&self) -> i64 {
        self.handed_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(last_id: i64) -> Batch {
        Batch { rows: Vec::new(), refused: Vec::new(), last_id, received_at: last_id }
    }

    fn land(window: &mut Window, number: u64, refused: &[i64]) {
        let refused = refused.iter().map(|id| RefusedEvent { id: *id, why: "no".to_owned() }).collect();
        window.landed(Ok((number, Landed { refused })));
    }

    #[test]
    fn the_place_moves_to_the_lowest_contiguous_acknowledgement() {
        let mut window = Window::behind(0);
        let numbers: Vec<u64> = [10, 20, 30].into_iter().map(|last| window.add(&batch(last))).collect();
        land(&mut window, numbers[2], &[]);
        land(&mut window, numbers[1], &[15]);
        assert!(!window.has_news(), "the first is not there yet");
        assert_eq!(window.oldest_received_at(), Some(10));
        land(&mut window, numbers[0], &[]);
        let (to, refused) = window.take_news().expect("all are there");
        assert_eq!((to, refused.len(), window.oldest_received_at()), (30, 1, None));
        let number = window.add(&batch(40));
        land(&mut window, number, &[]);
        assert_eq!(window.take_news().map(|(to, _)| to), Some(40));
        assert!(window.take_news().is_none());
    }
}
