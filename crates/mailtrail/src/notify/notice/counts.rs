//! Recipients by status.

use crate::settle::Status;

/// How many recipients have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; Status::ALL.len()]);

impl Counts {
    /// How many have this status.
    #[must_use]
    pub fn get(&self, status: Status) -> u64 {
        self.iter().find(|(known, _)| *known == status).map_or(0, |(_, count)| count)
    }

    /// Adds so many.
    pub fn add(&mut self, status: Status, count: u64) {
        for (known, sum) in Status::ALL.iter().zip(&mut self.0) {
            if *known == status {
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// All statuses, worst news last.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u64)> + '_ {
        Status::ALL.into_iter().zip(self.0)
    }
}

impl FromIterator<(Status, u64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (Status, u64)>>(items: I) -> Self {
        let mut counts = Self::default();
        for (status, count) in items {
            counts.add(status, count);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_status() {
        let counts: Counts = [(Status::Bounce, 2), (Status::Delivered, 5), (Status::Bounce, 1)].into_iter().collect();
        assert_eq!((counts.get(Status::Bounce), counts.get(Status::Delivered), counts.get(Status::Unknown)), (3, 5, 0));
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 8);
    }
}
