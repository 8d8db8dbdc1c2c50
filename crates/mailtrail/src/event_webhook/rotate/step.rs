//! How far a rotation is, what comes next, and why it may not go on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::event_webhook::ReceiverError;
use crate::sendgrid::CallError;

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A new credential was made.
    Begun,
    /// SendGrid has the second webhook, signed, not posting.
    Made,
    /// The receiver accepts both.
    Accepted,
    /// Both post. (With one webhook alone: it posts with the new credentials.)
    Both {
        /// Since when, µs since the epoch.
        since: i64,
    },
    /// The first webhook is gone; the receiver still accepts what may be on its way.
    OldGone {
        /// Since when, µs since the epoch.
        since: i64,
    },
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Call again.
    Now,
    /// Nothing to be done before this, µs since the epoch.
    At(i64),
    /// All is replaced.
    Done,
}

/// Why a rotation does not go on. What was done stays done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// SendGrid.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The receiver.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    /// The file that says how far it is.
    #[error("{path}: {why}")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A webhook changed meanwhile.
    #[error("{0}")]
    Changed(&'static str),
}
