//! How many wrong attempts a client may make. The table has a fixed size: nobody can fill it for others.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

const WITHIN: Duration = Duration::from_secs(15 * 60);

/// Wrong attempts of one client within that time.
pub(super) const BUDGET: u32 = 10;

/// Clients remembered; beyond it the one whose time began first is forgotten.
pub(super) const REMEMBERED: usize = 4_096;

pub(super) struct Attempts<C>(HashMap<C, Tries>);

struct Tries {
    count: u32,
    since: Instant,
}

impl<C> Default for Attempts<C> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<C: Copy + Eq + Hash> Attempts<C> {
    /// Counts an attempt as wrong, before its result is known, and says whether the budget allows it.
    pub(super) fn begin(&mut self, client: C) -> bool {
        let now = Instant::now();
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&client) {
            self.0.retain(|_, tries| now.duration_since(tries.since) < WITHIN);
            if self.0.len() >= REMEMBERED
                && let Some(oldest) = self.0.iter().min_by_key(|(_, tries)| tries.since).map(|(client, _)| *client)
            {
                self.0.remove(&oldest);
            }
        }
        let tries = self.0.entry(client).or_insert(Tries { count: 0, since: now });
        if now.duration_since(tries.since) >= WITHIN {
            *tries = Tries { count: 0, since: now };
        }
        if tries.count >= BUDGET {
            return false;
        }
        tries.count += 1;
        true
    }

    /// The attempt was not wrong, or was not tried.
    pub(super) fn take_back(&mut self, client: C) {
        if let Some(tries) = self.0.get_mut(&client) {
            tries.count = tries.count.saturating_sub(1);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
