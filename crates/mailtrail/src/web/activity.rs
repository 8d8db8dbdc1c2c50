//! The Activity page: the newest events of a view, what is said of them, and the events that come in meanwhile.

mod form;
mod list;

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
    /// The list, or what will fetch it.
    list: String,
    timeline: String,
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let asked = Asked::parse(&query);
    let t = visitor.preferences.texts();
    if visitor.part.as_deref() == Some(list::PART) {
        return Ok(Html(list::render(&app, &visitor, &asked).await?).into_response());
    }
    let timeline = timeline::render(&app, &asked, t).await?;
    if visitor.part.as_deref() == Some("timeline") {
        return Ok(Html(timeline).into_response());
    }
    let waits =
        !list::is_whole(&query) && filter(&app, &asked, t).is_ok_and(|(filter, _)| app.source.takes_long(&filter));
    let list = if waits { list::waiting(&asked, t)? } else { list::render(&app, &visitor, &asked).await? };
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
        list,
        timeline,
    };
    Ok(Html(page.render()?).into_response())
}

/// The filter of a view, and what is to be said of it. BigQuery reads every day that is asked for, so there only some are.
pub(super) fn filter(app: &App, asked: &Asked, t: &Texts) -> Result<(Filter, Option<&'static str>), String> {
    let now = clock::now_micros();
    let (mut filter, mut note) = asked.filter(now, &app.output.time_zone, t)?;
    if app.source.costs() && filter.since.is_none() {
        filter.limit_to_recent(now);
        note = Some(t.only_recent);
    }
    Ok((filter, note))
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

#[derive(Template)]
#[template(path = "live.html")]
struct News {
    f: Frame,
    query: String,
    after: i64,
    /// How often is looked, for htmx.
    every: &'static str,
    /// Where the rows go: before those that are shown, or in their place.
    swap: &'static str,
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
    let (filter, _) = filter(&app, &asked, t).map_err(Failure::Wrong)?;
    let bare = asked.bare();
    let news = |last_id, rows: Vec<EventRecord>| News {
        f: Frame::new(&visitor, Section::Activity),
        query: with_mark(&bare.query()),
        after: last_id,
        every: list::every(&app),
        swap: "afterbegin",
        opens: opens(&Asked { live: true, ..bare.clone() }),
        news: (t.n_new)(rows.len()),
        rows: rows.into_iter().map(|event| EventView::new(event, t, &visitor.zone)).collect(),
    };
    if app.source.costs() {
        // Nothing there tells what is new: the list is asked for again.
        let found = app.source.newest(&filter, None, PAGE).await?;
        let again = News { swap: "innerHTML", news: String::new(), ..news(0, found.rows) };
        return Ok(Html(again.render()?).into_response());
    }
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
    Ok(Html(news(last_id, rows).render()?).into_response())
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
    let (filter, _) = filter(&app, &asked, t).map_err(Failure::Wrong)?;
    let began = Instant::now();
    let groups = app.source.ask(move |store| Ok(store.stats(&filter, &[], Counted::Rows)?.value)).await?;
    let count = groups.first().map_or(0, |group| group.count);
    let text = CountText { text: (t.n_events)(&grouped(count), count), took: time::took(began.elapsed()) };
    Ok(Html(text.render()?).into_response())
}
