//! How far back a question goes that says nothing about it and that no index answers.

use super::Filter;

const SECOND: i64 = 1_000_000;

/// Seven days, in µs.
const WINDOW: i64 = 7 * 86_400 * SECOND;

impl Filter {
    /// Whether an index leads to the events.
    #[must_use]
    pub fn has_index(&self) -> bool {
        self.names_mail() && !self.any
    }

    /// Whether the time index has to be looked through for something.
    #[must_use]
    pub fn scans(&self) -> bool {
        let unindexed = !self.events.is_empty()
            || !self.statuses.is_empty()
            || !self.domains.is_empty()
            || self.reason.is_some()
            || (self.any && self.names_mail());
        unindexed && !self.has_index()
    }

    /// Asks for the last seven days alone, before `until` where that is given.
    pub fn limit_to_recent(&mut self, now: i64) {
        let since = self.until.unwrap_or(now).min(now).saturating_sub(WINDOW);
        self.since = Some(since - since.rem_euclid(SECOND));
    }

    fn names_mail(&self) -> bool {
        !self.hashes.is_empty() || !self.categories.is_empty() || !self.runs.is_empty() || !self.messages.is_empty()
    }
}
