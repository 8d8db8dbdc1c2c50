//! What became of a mail: the one place that says which event means what, and which outweighs which.
//!
//! Pure: events are handed in, in any order and as often as they came.

mod fold;

pub use fold::{Fold, Seen, Settled};

/// Status of one recipient's mail, worst news last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Nothing is known.
    Unknown,
    /// SendGrid has taken it.
    Processed,
    /// The recipient's server asks to come again; SendGrid does.
    Deferred,
    /// The recipient's server has taken it.
    Delivered,
    /// SendGrid's API did not accept this recipient, or the whole request. No event says so, only the ledger.
    Refused,
    /// SendGrid did not send it.
    Dropped,
    /// The recipient's server refused it for now.
    Blocked,
    /// The recipient's server refused it for good.
    Bounce,
}

impl Status {
    /// All of them as summaries list them: delivered, then those who did not get it, then those who are not settled.
    pub const IN_SUMMARIES: [Self; 8] = [
        Self::Delivered,
        Self::Bounce,
        Self::Blocked,
        Self::Dropped,
        Self::Refused,
        Self::Deferred,
        Self::Processed,
        Self::Unknown,
    ];

    /// All of them, worst news last.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Processed,
        Self::Deferred,
        Self::Delivered,
        Self::Refused,
        Self::Dropped,
        Self::Blocked,
        Self::Bounce,
    ];

    /// Those that an event can have.
    pub const OF_EVENTS: [Self; 6] =
        [Self::Processed, Self::Deferred, Self::Delivered, Self::Dropped, Self::Blocked, Self::Bounce];

    /// What an event says by itself. A bounce without type is a bounce; whoever opens, clicks, complains or unsubscribes
    /// has the mail.
    #[must_use]
    pub fn of(event: &str, r#type: Option<&str>) -> Self {
        match event {
            "processed" => Self::Processed,
            "deferred" => Self::Deferred,
            "delivered" | "open" | "click" | "spamreport" | "unsubscribe" => Self::Delivered,
            "dropped" => Self::Dropped,
            "bounce" if r#type.is_some_and(|t| t.trim().eq_ignore_ascii_case("blocked")) => Self::Blocked,
            "bounce" => Self::Bounce,
            _ if event.starts_with("group_") => Self::Delivered,
            _ => Self::Unknown,
        }
    }

    /// As in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Processed => "processed",
            Self::Deferred => "deferred",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
            Self::Blocked => "blocked",
            Self::Bounce => "bounce",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The status of this name that an event can have.
    #[must_use]
    pub fn parse_of_event(text: &str) -> Option<Self> {
        Self::OF_EVENTS.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing more is to be waited for.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self >= Self::Delivered
    }

    /// Whether the mail did not arrive, for good.
    #[must_use]
    pub fn is_unreached(self) -> bool {
        self > Self::Delivered
    }
}
