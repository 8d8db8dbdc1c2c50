//! What followers read of events.

use crate::settle::Status;

/// An event as a follower needs it: no address, no text of a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Trail order.
    pub id: i64,
    /// µs since the epoch.
    pub timestamp: i64,
    /// µs since the epoch.
    pub received_at: i64,
    /// SendGrid's name.
    pub event: String,
    /// Column `type`.
    pub r#type: Option<String>,
    /// `bounce_classification`
    pub classification: Option<String>,
    /// Column `status`, such as `5.1.1`.
    pub status_code: Option<String>,
    /// `reason`, or `response` where there is none: what a mail server wrote, without addresses.
    pub reason: Option<String>,
    /// Of the mail; of a bounce without ids that of the newest mail its recipient got in the seven days before it.
    pub run: Option<String>,
    /// As [`run`](Self::run).
    pub categories: Vec<String>,
    /// Domain of the recipient.
    pub domain: Option<String>,
    /// Tells recipients apart, within this trail.
    pub recipient: Option<i64>,
}

impl Brief {
    /// What the event says about the mail.
    #[must_use]
    pub fn mail_status(&self) -> Status {
        Status::of(&self.event, self.r#type.as_deref())
    }
}
