//! The timeline beside the list: every event of one message and recipient, in order.

use askama::Template;

use super::asked::Asked;
use super::event_view::EventView;
use super::failure::Failure;
use super::page::App;
use super::spot::Spot;
use super::texts::Texts;

#[derive(Template)]
#[template(path = "timeline.html")]
struct Timeline {
    t: &'static Texts,
    open: bool,
    close_url: String,
    events: Vec<EventView>,
    current: String,
}

/// The panel of a view, closed where nothing is open.
pub(super) async fn render(app: &App, asked: &Asked, t: &'static Texts) -> Result<String, Failure> {
    let events = match &asked.open {
        None => Vec::new(),
        Some(open) => app.source.timeline(open.clone()).await?,
    };
    let timeline = Timeline {
        t,
        open: asked.open.is_some(),
        close_url: Asked { open: None, ..asked.clone() }.url(),
        events: events.into_iter().map(|event| EventView::new(event, t, &app.zone())).collect(),
        current: asked.open.as_ref().map(Spot::short).unwrap_or_default(),
    };
    Ok(timeline.render()?)
}
