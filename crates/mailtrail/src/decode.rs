//! Authentic body → items. The work is [`sendgrid_events`]'; this room only makes sure that nothing else is decoded.

use sendgrid_events::Items;

use crate::receive::Authentic;

/// Reads the items of a body that has passed [`crate::receive`].
#[must_use]
pub fn decode(body: &Authentic) -> Items<'_> {
    Items::of(body.bytes())
}
