//! The Activity page: the newest events of a view, what is said of them, and the events that come in meanwhile.

mod form;

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::asked::Asked;
use super::event_view::EventView;
use super::failure::Failure;
use super::frame::{Frame, Section};
use super::page::App;
use super::texts::{Texts, grouped};
use super::timeline;
use super::visitor::Visitor;
use crate::clock;
use crate::show::time;
use crate::store::query::{Counted, EventRecord, Filter};
use form::{Active, Chip, Field};

/// Events of a page.
const PAGE: usize = 50;

/// Most new events that one look brings.
const NEWS: usize = 200;

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    f: Frame,
    kept: Vec<String>,
    reason: String,
    since: String,
    times: Vec<(String, String)>,
    chips: Vec<Chip>,
    outcomes: Vec<Chip>,
    fields: Vec<Field>,
    any: bool,
    more_open: bool,
    active: Vec<Active>,
    /// With its `?`, or empty.
    query: String,
    problem: Option<String>,
    notes: Vec<&'static str>,
    sql: String,
    rows: Vec<EventView>,
    /// URL of an event's timeline, but for the id.
    opens: String,
    unfiltered: bool,
    older: Option<String>,
    newest: Option<String>,
    /// The last id that the page knows, where it follows.
    live: Option<i64>,
    live_url: String,
    stop_url: String,
    timeline: String,
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = Asked::parse(query.as_deref().unwrap_or_default());
    let t = visitor.preferences.texts();
    let timeline = timeline::render(&app, &asked, t).await?;
    if visitor.part.as_deref() == Some("timeline") {
        return Ok(Html(timeline).into_response());
    }
    let (filter, mut notes, problem) = match asked.filter(clock::now_micros(), t) {
        Ok((filter, note)) => (filter, note.into_iter().collect::<Vec<_>>(), None),
        Err(problem) => (Filter::default(), Vec::new(), Some(problem)),
    };
    let found = if problem.is_some() { Found::default() } else { find(&app, &filter, asked.before).await? };
    if found.scanned && notes.is_empty() {
        notes.push(t.scanned);
    }
    let bare = asked.bare();
    let last = found.rows.last().map(|event| (event.timestamp, event.id));
    let older = last.filter(|_| found.has_more).map(|place| Asked { before: Some(place), ..bare.clone() }.url());
    let page = ActivityPage {
        f: Frame::new(&visitor, Section::Activity),
        kept: asked.recipients.iter().map(ToString::to_string).collect(),
        reason: asked.reason.clone().unwrap_or_default(),
        since: asked.since.clone().unwrap_or_default(),
        times: form::times(&asked, t),
        chips: form::events(&asked, t),
        outcomes: form::outcomes(&asked, t),
        fields: form::fields(&asked, t),
        any: asked.any,
        more_open: form::more_is_asked(&asked),
        active: form::active(&asked, t),
        query: with_mark(&bare.query()),
        problem,
        notes,
        sql: filter.sql_text(PAGE),
        opens: opens(&asked),
        unfiltered: bare == Asked::default(),
        older,
        newest: asked.before.map(|_| bare.url()),
        live: (asked.live && asked.before.is_none()).then_some(found.last_id),
        live_url: Asked { live: true, ..bare.clone() }.url(),
        stop_url: bare.url(),
        rows: found.rows.into_iter().map(|event| EventView::new(event, t)).collect(),
        timeline,
    };
    Ok(Html(page.render()?).into_response())
}

/// The URL that opens an event's timeline in this view, but for the id.
fn opens(asked: &Asked) -> String {
    let url = Asked { open: None, ..asked.clone() }.url();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}open=")
}

fn with_mark(query: &str) -> String {
    if query.is_empty() { String::new() } else { format!("?{query}") }
}

#[derive(Default)]
struct Found {
    rows: Vec<EventRecord>,
    has_more: bool,
    scanned: bool,
    last_id: i64,
}

async fn find(app: &App, filter: &Filter, before: Option<(i64, i64)>) -> Result<Found, Failure> {
    let filter = filter.clone();
    app.readers
        .ask(move |reader| {
            // Before the search: what comes in during it is new.
            let last_id = reader.last_id()?;
            let mut answer = match before {
                None => reader.activity(&filter, PAGE + 1)?,
                Some(place) => reader.activity_before(&filter, place, PAGE + 1)?,
            };
            let has_more = answer.value.len() > PAGE;
            answer.value.truncate(PAGE);
            Ok(Found { rows: answer.value, has_more, scanned: answer.scanned.is_some(), last_id })
        })
        .await
}

#[derive(Template)]
#[template(path = "live.html")]
struct News {
    f: Frame,
    query: String,
    after: i64,
    rows: Vec<EventView>,
    opens: String,
    news: String,
}

/// The events of a view that came in after those that the page shows.
pub(super) async fn live(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let asked = Asked::parse(&query);
    let t = visitor.preferences.texts();
    let (filter, _) = asked.filter(clock::now_micros(), t).map_err(Failure::Wrong)?;
    let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after: i64 = after.and_then(|(_, value)| value.parse().ok()).unwrap_or(i64::MAX);
    let (last_id, rows) = app
        .readers
        .ask(move |reader| {
            let last_id = reader.last_id()?;
            if last_id <= after {
                return Ok((last_id, Vec::new()));
            }
            let mut rows = reader.activity(&filter, NEWS)?.value;
            rows.retain(|event| event.id > after && event.id <= last_id);
            Ok((last_id, rows))
        })
        .await?;
    if last_id <= after {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let bare = asked.bare();
    let news = News {
        f: Frame::new(&visitor, Section::Activity),
        query: with_mark(&bare.query()),
        after: last_id,
        opens: opens(&Asked { live: true, ..bare }),
        news: (t.n_new)(rows.len()),
        rows: rows.into_iter().map(|event| EventView::new(event, t)).collect(),
    };
    Ok(Html(news.render()?).into_response())
}

#[derive(Template)]
#[template(source = "<span><strong>{{ text }}</strong> <span class=\"soft\">{{ took }}</span></span>", ext = "html")]
struct CountText {
    text: String,
    took: String,
}

/// How many events a view has, and how long it took to count them: apart from the page, since it may take longer.
pub(super) async fn count(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = Asked::parse(query.as_deref().unwrap_or_default());
    let t: &Texts = visitor.preferences.texts();
    let (filter, _) = asked.filter(clock::now_micros(), t).map_err(Failure::Wrong)?;
    let began = Instant::now();
    let groups = app.readers.ask(move |reader| Ok(reader.stats(&filter, &[], Counted::Rows)?.value)).await?;
    let count = groups.first().map_or(0, |group| group.count);
    let text = CountText { text: (t.n_events)(&grouped(count), count), took: time::took(began.elapsed()) };
    Ok(Html(text.render()?).into_response())
}
