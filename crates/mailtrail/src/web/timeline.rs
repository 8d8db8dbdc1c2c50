//! The timeline beside the list: every event of one message and recipient, in order.

use askama::Template;

use super::asked::Asked;
use super::event_view::EventView;
use super::failure::Failure;
use super::page::App;
use super::texts::Texts;
use crate::protect::EmailHash;
use crate::store::query::{EventRecord, Filter};
use crate::store::sqlite::{ReadError, Reader};

/// Most events told; a mail has a handful.
const MOST: usize = 300;

#[derive(Template)]
#[template(path = "timeline.html")]
struct Timeline {
    t: &'static Texts,
    open: bool,
    close_url: String,
    events: Vec<EventView>,
    current: i64,
}

/// The panel of a view, closed where nothing is open.
pub(super) async fn render(app: &App, asked: &Asked, t: &'static Texts) -> Result<String, Failure> {
    let events = match asked.open {
        None => Vec::new(),
        Some(id) => app.readers.ask(move |reader| of_event(reader, id)).await?,
    };
    let timeline = Timeline {
        t,
        open: asked.open.is_some(),
        close_url: Asked { open: None, ..asked.clone() }.url(),
        events: events.into_iter().map(|event| EventView::new(event, t)).collect(),
        current: asked.open.unwrap_or_default(),
    };
    Ok(timeline.render()?)
}

/// All events of the same message and recipient, oldest first. What an event does not name cannot be asked by.
pub(super) fn of_event(reader: &Reader, id: i64) -> Result<Vec<EventRecord>, ReadError> {
    let Some(event) = reader.event(id)? else { return Ok(Vec::new()) };
    let filter = Filter {
        hashes: event.email_hash.as_deref().and_then(EmailHash::parse).into_iter().collect(),
        messages: event.message_id.clone().into_iter().collect(),
        include_tests: true,
        ..Filter::default()
    };
    if filter.hashes.is_empty() && filter.messages.is_empty() {
        return Ok(vec![event]);
    }
    // A recipient alone may have years of mail; the event's own neighbourhood is what was asked for.
    let filter = if filter.messages.is_empty() {
        let around = 7 * 86_400_000_000;
        let (since, until) = (event.timestamp.saturating_sub(around), event.timestamp.saturating_add(around));
        Filter { since: Some(since), until: Some(until), ..filter }
    } else {
        filter
    };
    Ok(reader.page(&filter, None, MOST)?.value)
}
