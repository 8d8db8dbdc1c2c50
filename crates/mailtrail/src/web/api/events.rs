//! Events: searched, of one recipient or message, the newest, all of a filter.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::body::Body;
use super::caller::Caller;
use super::problem::Problem;
use super::query::Query;
use super::rows::{about, answer, tell};
use super::which::{Window, email, filter, hash};
use crate::config::Role;
use crate::show::record;
use crate::store::query::{Answer, EventRecord, Subject, message_id};
use crate::store::remote::wire::{About, HowMany, Nothing, Timeline};
use crate::web::export;
use crate::web::page::App;

/// Events where the question says no number.
const USUAL: usize = 50;
const USUAL_OF_TIMELINE: usize = 1_000;
const USUAL_OF_NEWEST: i64 = 10;

/// Hashes of one recipient, each under another key.
const MOST_HASHES: usize = 100;

/// Most events of one answer; all of them are in an export.
const MOST: usize = 10_000;

/// Most for a viewer, to whom lists are not given.
const MOST_FOR_VIEWERS: usize = 1_000;

pub(super) async fn activity(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let (which, HowMany { limit }) = body.split(&["limit"])?;
    let limit = within(&caller, limit, USUAL)?;
    caller.charge_events(&app, 0)?;
    caller.charge_addresses(&app, which.email.len())?;
    let (mut filter, limited_to) = filter(which, &app, Window::Search)?;
    // Whoever tries the set-up out looks here for what arrived.
    filter.include_tests = true;
    let found = app.source.ask(move |store| store.activity(&filter, limit)).await?;
    events(&app, &caller, found, limited_to).await
}

pub(super) async fn timeline(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let asked: Timeline = body.read()?;
    let limit = within(&caller, asked.limit, USUAL_OF_TIMELINE)?;
    caller.charge_events(&app, 0)?;
    caller.charge_addresses(&app, usize::from(asked.email.is_some()))?;
    let subject = match (asked.email, asked.email_hash, asked.message) {
        (Some(address), None, None) => Subject::Hashes(app.keys.lookup_hashes(email(&address)?)),
        (None, Some(hashes), None) if (1..=MOST_HASHES).contains(&hashes.len()) => {
            Subject::Hashes(hashes.iter().map(|text| hash(text)).collect::<Result<_, _>>()?)
        }
        (None, None, Some(id)) => Subject::Message(message_id(&id)),
        _ => return Err(Problem::malformed("name one of email, email_hash (1 to 100) and message, and no other")),
    };
    let found = app.source.ask(move |store| store.timeline(&subject, limit)).await?;
    events(&app, &caller, found, None).await
}

pub(super) async fn newest(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let most = i64::try_from(MOST_FOR_VIEWERS).unwrap_or(i64::MAX);
    let limit = query.number("limit", 1, most)?.unwrap_or(USUAL_OF_NEWEST);
    let limit = usize::try_from(limit).unwrap_or(MOST_FOR_VIEWERS);
    let after = query.number("after", 0, i64::MAX)?;
    query.end()?;
    caller.charge_events(&app, 0)?;
    let found = match after {
        None => app.source.ask(move |store| store.newest(limit)).await?,
        Some(_) if app.source.costs() => {
            let detail = "the events are in BigQuery, which numbers none, so that there is no `after`";
            return Err(Problem::unanswerable(detail, "ask for the newest without it, or for activity with since"));
        }
        Some(id) => {
            let value = app.readers.ask(move |reader| reader.after(id, limit)).await?;
            Answer { value, scanned: None }
        }
    };
    events(&app, &caller, found, None).await
}

/// All events of a filter, in the order of time.
pub(super) async fn export(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let (which, Nothing {}) = body.split(&[])?;
    caller.may_take("export")?;
    let (mut filter, _) = filter(which, &app, Window::Everything)?;
    filter.include_tests = true;
    // What cannot be read is told before the first row; where a question costs something, it is asked once.
    let scanned = if app.source.costs() {
        None
    } else {
        let first = filter.clone();
        app.readers.ask(move |reader| reader.page(&first, None, 1)).await?.scanned
    };
    let mut response = export::begin(&app, filter, export::Format::Ndjson);
    tell(&mut response, &about(&app, scanned.as_ref()).await);
    Ok(response)
}

fn within(caller: &Caller, limit: Option<usize>, usual: usize) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(usual);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("limit is no number from 1 to {MOST}; export has all events")));
    }
    if limit > MOST_FOR_VIEWERS && caller.role < Role::Operator {
        return Err(Problem::not_allowed(format!(
            "its role is viewer, who may ask for {MOST_FOR_VIEWERS} events at once at most"
        )));
    }
    Ok(limit)
}

/// The rows, counted against the caller's quota.
async fn events(
    app: &App,
    caller: &Caller,
    found: Answer<Vec<EventRecord>>,
    limited_to: Option<String>,
) -> Result<Response, Problem> {
    caller.charge_events(app, found.value.len())?;
    let about = About { limited_to, ..about(app, found.scanned.as_ref()).await };
    Ok(answer(&record::COLUMNS, found.value.into_iter().map(record::cells), &about))
}
