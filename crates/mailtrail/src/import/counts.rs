//! What became of what was read.

use crate::store::bigquery::Loaded;
use crate::store::sqlite::Appended;

/// What became of everything that was read: the others add up to `read`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events and whatever stood in the place of one.
    pub read: u64,
    /// New events.
    pub stored: u64,
    /// What the trail had already, sealed or not.
    pub duplicate: u64,
    /// What could not be read, sealed.
    pub quarantined: u64,
    /// Events of people who were forgotten, not stored.
    pub forgotten: u64,
    /// Events of people whom no key and no list knows, not stored.
    pub unmatched: u64,
}

impl std::ops::AddAssign<Appended> for Counts {
    fn add_assign(&mut self, appended: Appended) {
        self.stored += appended.stored;
        self.duplicate += appended.duplicate;
        self.quarantined += appended.quarantined;
        self.forgotten += appended.forgotten;
    }
}

impl std::ops::AddAssign<Loaded> for Counts {
    fn add_assign(&mut self, loaded: Loaded) {
        self.stored += loaded.stored;
        self.duplicate += loaded.duplicate;
        self.quarantined += loaded.quarantined;
    }
}
