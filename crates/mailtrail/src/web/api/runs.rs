//! The runs, and one of them.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::caller::Caller;
use super::problem::Problem;
use super::query::Query;
use super::rows::{about, answer};
use crate::outcome::{self, columns};
use crate::show::Cell;
use crate::store::remote::wire::About;
use crate::web::page::App;
use crate::web::runs::RunInPath;

/// Runs where the question says no number, and most of them: each is counted anew.
const USUAL: i64 = 20;
const MOST: i64 = 200;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    _caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let limit = query.number("limit", 1, MOST)?.unwrap_or(USUAL);
    query.end()?;
    let limit = usize::try_from(limit).unwrap_or_default();
    let (runs, there) = app.runs.blocking(move |held| outcome::runs(held.sends(), limit)).await?;
    let about = About { total: u64::try_from(there).ok(), ..about(&app, None).await };
    let rows: Vec<Vec<Cell>> = runs.iter().map(columns::of_run).collect();
    Ok(answer(&columns::RUN, rows, &about))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    _caller: Caller,
    RawQuery(query): RawQuery,
    RunInPath(name): RunInPath,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref()).end()?;
    let run = app.runs.blocking(move |held| outcome::run(held.sends(), &name)).await?;
    let (names, cells): (Vec<&str>, Vec<Cell>) = columns::figures(&run, false).into_iter().unzip();
    Ok(answer(&names, [cells], &about(&app, None).await))
}
