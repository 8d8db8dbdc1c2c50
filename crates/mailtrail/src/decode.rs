//! Authentic body → items. The work is [`sendgrid_events`]'; this room only makes sure that nothing else is decoded.

use sendgrid_events::Batch;

use crate::receive::Authentic;

/// Reads the items of a body that has passed [`crate::receive`].
#[must_use]
pub fn decode(body: &Authentic) -> Batch<'_> {
    Batch::parse(body.bytes())
}
