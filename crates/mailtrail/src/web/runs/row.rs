//! A line of the list of runs, with its figures.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::super::failure::Failure;
use super::super::page::App;
use super::super::visitor::Visitor;
use super::name::RunInPath;
use super::view::RunView;
use super::{digest, field};
use crate::clock;

#[derive(Template)]
#[template(path = "run_row.html")]
struct Row {
    run: RunView,
    seen: String,
}

/// One run's line; nothing where the page shows it as it is.
pub(in crate::web) async fn row(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RunInPath(name): RunInPath,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let seen = field(query.as_deref().unwrap_or_default(), "seen");
    // Who asks again will ask once more.
    let run = match seen {
        None => app.runs.glance(&name).await?,
        Some(_) => app.runs.look(&name, |_| ()).await?.0,
    };
    let mut row =
        Row { run: RunView::new(&run, &visitor, clock::now_micros(), app.source.costs()), seen: String::new() };
    row.seen = digest(&row.render()?);
    if seen.as_ref() == Some(&row.seen) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Html(row.render()?).into_response())
}
