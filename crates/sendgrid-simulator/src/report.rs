//! What came of a delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::EventKey;

/// What came of a delivery. A POST counts once, however often it was tried.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// POSTs planned.
    pub posts: usize,
    /// POSTs answered 2xx.
    pub acknowledged_posts: usize,
    /// Elements of the acknowledged POSTs, repeats included.
    pub acknowledged_events: u64,
    /// The distinct events that were acknowledged: what a receiver must hold from then on.
    pub acknowledged: BTreeSet<EventKey>,
    /// What receivers said they accepted (`{"accepted":n,"quarantined":n}`).
    pub accepted: u64,
    /// What receivers said they quarantined.
    pub quarantined: u64,
    /// Tries beyond the first of a POST.
    pub retries: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Tries without an answer: connection refused, cut, or timed out.
    pub unanswered: u64,
    /// The first try without an answer.
    pub first_failure: Option<String>,
    /// The first answer that was not 2xx.
    pub first_refusal: Option<Refusal>,
    /// How long it all took.
    pub elapsed: Duration,
    /// Times to a 2xx, shortest first.
    pub times: Vec<Duration>,
}

/// An answer that was not 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its status.
    pub status: u16,
    /// Whether it asked for Basic credentials (`WWW-Authenticate`).
    pub asks_for_credentials: bool,
    /// The start of its text, printable ASCII only: whoever answered is not trusted with a terminal.
    pub text: String,
}

impl Report {
    /// Whether every POST was acknowledged.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.acknowledged_posts == self.posts
    }

    /// Takes in the report of a further delivery to the same receiver.
    pub fn merge(&mut self, other: Self) {
        self.posts += other.posts;
        self.acknowledged_posts += other.acknowledged_posts;
        self.acknowledged_events += other.acknowledged_events;
        self.acknowledged.extend(other.acknowledged);
        self.accepted += other.accepted;
        self.quarantined += other.quarantined;
        self.retries += other.retries;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
        self.elapsed += other.elapsed;
        self.times.extend(other.times);
        self.times.sort_unstable();
    }

    /// The time to a 2xx that `share` of such answers kept (0.5: the median, 1.0: the longest); `None` without any.
    #[must_use]
    pub fn time_to_200(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.max(1).min(self.times.len()).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times = (1..=100).map(Duration::from_millis).collect();
        let report = Report { times, ..Report::default() };
        for (share, ms) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            assert_eq!(report.time_to_200(share), Some(Duration::from_millis(ms)), "{share}");
        }
        assert_eq!(Report::default().time_to_200(0.5), None);
    }
}
