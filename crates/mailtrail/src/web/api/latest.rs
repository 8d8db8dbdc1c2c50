//! How everybody stands: the status of the newest message to each recipient of a run or a category.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::body::Body;
use super::caller::Caller;
use super::mail::scope;
use super::problem::Problem;
use super::rows::{about, answer};
use super::which::when;
use crate::clock;
use crate::show::Cell;
use crate::store::query::RecipientStatus;
use crate::store::remote::wire::Mail;
use crate::web::page::App;

const COLUMNS: [&str; 7] =
    ["email_hash", "status", "reason", "classification", "status_code", "first_seen", "last_seen"];

pub(super) async fn latest(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let mail: Mail = body.read()?;
    if mail.email.is_some() || mail.email_hash.is_some() || mail.include_pending || mail.language.is_some() {
        return Err(Problem::malformed("latest takes run or category, since, until and time_zone, and nothing else"));
    }
    caller.may_take("latest")?;
    let now = clock::now_micros();
    let when = |text: &Option<String>| when(text.as_deref(), now, mail.time_zone.as_deref());
    let (scope, since, until) = (scope(&mail)?, when(&mail.since)?, when(&mail.until)?);
    let found = app.source.ask(move |store| store.latest_status(&scope, since, until)).await?;
    let about = about(&app, None).await;
    Ok(answer(&COLUMNS, found.into_iter().map(cells), &about))
}

fn cells(one: RecipientStatus) -> Vec<Cell> {
    vec![
        Cell::Text(one.email_hash),
        Cell::Text(one.status.as_str().to_owned()),
        Cell::text(one.reason),
        Cell::text(one.classification),
        Cell::text(one.status_code),
        Cell::Time(one.first_seen),
        Cell::Time(one.last_seen),
    ]
}
