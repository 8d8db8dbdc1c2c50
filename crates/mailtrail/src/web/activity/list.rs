//! The list of a view. Where it may take long, the page is there before it and fetches it.

use askama::Template;

use super::super::asked::Asked;
use super::super::event_view::EventView;
use super::super::failure::Failure;
use super::super::frame::{Frame, Section};
use super::super::page::App;
use super::super::source::Found;
use super::super::spot::Spot;
use super::super::texts::Texts;
use super::super::visitor::Visitor;
use super::{PAGE, filter, opens, with_mark};
use crate::store::query::{Filter, Scanned};

/// The element that is filled.
pub(super) const PART: &str = "list";

/// Says that the page is to wait for its list: for browsers without scripts.
const WHOLE: &str = "whole";

pub(super) fn is_whole(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == WHOLE && value == "1")
}

/// How often a page that follows looks for news, for htmx.
pub(super) fn every(app: &App) -> &'static str {
    if app.source.costs() { "60s" } else { "2s" }
}

#[derive(Template)]
#[template(path = "list.html")]
struct List {
    f: Frame,
    /// With its `?`, or empty.
    query: String,
    problem: Option<String>,
    notes: Vec<String>,
    /// SQL for the trail.
    sql: Option<String>,
    /// Whether each question costs something.
    costs: bool,
    rows: Vec<EventView>,
    /// URL of an event's timeline, but for the event.
    opens: String,
    unfiltered: bool,
    older: Option<String>,
    newest: Option<String>,
    /// The last id that the page knows, where it follows.
    live: Option<i64>,
    every: &'static str,
    live_url: String,
    stop_url: String,
}

pub(super) async fn render(app: &App, visitor: &Visitor, asked: &Asked) -> Result<String, Failure> {
    let t = visitor.preferences.texts();
    let costs = app.source.costs();
    let mut notes = Vec::new();
    let (view, problem) = match filter(app, asked, t) {
        Ok((view, note)) => {
            notes.extend(note.map(str::to_owned));
            (view, None)
        }
        Err(problem) => (Filter::default(), Some(problem)),
    };
    let found = match problem {
        Some(_) => Found::default(),
        None => app.source.newest(&view, asked.before.clone(), PAGE).await?,
    };
    match &found.scanned {
        Some(Scanned { bytes: Some(bytes), .. }) => notes.push((t.bytes_read)(&size(*bytes))),
        Some(_) if notes.is_empty() => notes.push(t.scanned.to_owned()),
        _ => {}
    }
    let follows = asked.live && asked.before.is_none();
    if follows && costs {
        notes.push(t.follows_each_minute.to_owned());
    }
    let bare = asked.bare();
    let last = found.rows.last().map(Spot::of).filter(|_| found.has_more);
    let list = List {
        f: Frame::new(visitor, Section::Activity),
        query: with_mark(&bare.query()),
        problem,
        notes,
        sql: (!costs).then(|| view.sql_text(PAGE)),
        costs,
        opens: opens(asked),
        unfiltered: bare == Asked::default(),
        older: last.map(|place| Asked { before: Some(place), ..bare.clone() }.url()),
        newest: asked.before.as_ref().map(|_| bare.url()),
        live: follows.then_some(found.last_id),
        every: every(app),
        live_url: Asked { live: true, ..bare.clone() }.url(),
        stop_url: bare.url(),
        rows: found.rows.into_iter().map(|event| EventView::new(event, t, &visitor.zone)).collect(),
    };
    Ok(list.render()?)
}

#[derive(Template)]
#[template(path = "list_waiting.html")]
struct Waiting {
    t: &'static Texts,
    url: String,
    whole_url: String,
}

/// In place of the list, until it is there.
pub(super) fn waiting(asked: &Asked, t: &'static Texts) -> Result<String, Failure> {
    let url = asked.url();
    let joint = if url.contains('?') { '&' } else { '?' };
    let whole_url = format!("{url}{joint}{WHOLE}=1");
    Ok(Waiting { t, url, whole_url }.render()?)
}

/// `12.3 MB`
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
