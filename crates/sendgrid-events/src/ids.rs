//! Ids that SendGrid gives to messages.

use std::fmt;

/// The id of one API request's mail: what `/v3/mail/send` returns as `X-Message-Id`, and the part of `sg_message_id`
/// before its first dot (22 characters in all live captures; the rule itself is not documented by SendGrid). One id
/// may stand for many recipients.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// The id within an `sg_message_id`; `None` where that part is empty.
    #[must_use]
    pub fn from_sg_message_id(sg_message_id: &str) -> Option<Self> {
        Self::part_of(sg_message_id).map(|id| Self(id.to_owned()))
    }

    /// The same, as a part of the `sg_message_id`.
    #[must_use]
    pub fn part_of(sg_message_id: &str) -> Option<&str> {
        let id = sg_message_id.trim().split('.').next()?.trim_end();
        (!id.is_empty()).then_some(id)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
