//! What will stop the receiving, or spoils what is received, unless somebody acts.

use std::time::Duration;

/// A concern of whoever runs mailtrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Signatures come from another time than ours.
    Clock {
        /// Our clock is behind, not ahead.
        behind: bool,
        /// By how much.
        by: Duration,
    },
    /// The listener's certificate.
    Certificate {
        /// How long it holds; zero: it has run out.
        left: Duration,
        /// It was to be replaced, and the new one cannot be used.
        refused: bool,
    },
    /// What was received waits to be stored.
    Backlog {
        /// How much of the room for it is taken.
        percent: u8,
        /// How long the oldest has waited.
        oldest: Duration,
    },
    /// The disk fills.
    Disk {
        /// Free space, bytes.
        free: u64,
        /// When there will be none at the present growth; `None`: nothing grows.
        left: Option<Duration>,
    },
    /// Files of the store were replaced or removed while they are open, so that every POST is refused.
    Files,
    /// POSTs are not passed on.
    Relay {
        /// How many the consumer furthest behind is still to get.
        waiting: u64,
        /// How long the oldest has waited.
        oldest: Duration,
        /// How many were refused for good.
        set_aside: u64,
        /// How many were given up lately.
        dropped: u64,
    },
}

/// What a concern is about: also the label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConcernKind {
    /// [`Concern::Clock`]
    Clock,
    /// [`Concern::Certificate`]
    Certificate,
    /// [`Concern::Backlog`]
    Backlog,
    /// [`Concern::Disk`]
    Disk,
    /// [`Concern::Relay`]
    Relay,
    /// [`Concern::Files`]
    Files,
}

impl Concern {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> ConcernKind {
        match self {
            Self::Clock { .. } => ConcernKind::Clock,
            Self::Certificate { .. } => ConcernKind::Certificate,
            Self::Backlog { .. } => ConcernKind::Backlog,
            Self::Disk { .. } => ConcernKind::Disk,
            Self::Relay { .. } => ConcernKind::Relay,
            Self::Files => ConcernKind::Files,
        }
    }
}

impl ConcernKind {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Clock, Self::Certificate, Self::Backlog, Self::Disk, Self::Relay, Self::Files];

    /// As in metrics and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Certificate => "certificate",
            Self::Backlog => "backlog",
            Self::Disk => "disk",
            Self::Relay => "relay",
            Self::Files => "files",
        }
    }
}
