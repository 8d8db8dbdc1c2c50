//! Counts.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::body::Body;
use super::caller::Caller;
use super::problem::Problem;
use super::rows::{about, answer};
use super::which::{Window, filter};
use crate::show::Cell;
use crate::store::query::{Counted, Dimension};
use crate::store::remote::wire::{About, Counting};
use crate::web::page::App;

pub(super) async fn stats(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let (which, counting): (_, Counting) = body.split(&["by", "distinct", "include_tests"])?;
    let by = dimensions(counting.by.as_deref())?;
    let (counted, heading) = match counting.distinct.as_deref() {
        None => (Counted::Rows, "events"),
        Some("recipients") => (Counted::Recipients, "recipients"),
        Some(_) => return Err(Problem::malformed("distinct is not `recipients`")),
    };
    caller.charge_addresses(&app, which.email.len())?;
    let (mut filter, limited_to) = filter(which, &app, Window::Count)?;
    filter.include_tests = counting.include_tests;
    let dimensions = by.clone();
    let (found, repeats) =
        app.source.ask(move |store| Ok((store.stats(&filter, &dimensions, counted)?, store.repeats(&filter)?))).await?;
    let about = About { limited_to, repeats: Some(repeats), ..about(&app, found.scanned.as_ref()).await };
    let columns: Vec<&str> = by.iter().map(|dimension| dimension.as_str()).chain([heading]).collect();
    let rows = found.value.into_iter().map(|group| {
        let count = Cell::Integer(i64::try_from(group.count).unwrap_or(i64::MAX));
        group.keys.into_iter().map(Cell::text).chain([count]).collect()
    });
    Ok(answer(&columns, rows, &about))
}

fn dimensions(names: Option<&[String]>) -> Result<Vec<Dimension>, Problem> {
    let Some(names) = names else { return Ok(vec![Dimension::Event]) };
    let all = || Dimension::ALL.map(Dimension::as_str).join(", ");
    let by: Option<Vec<Dimension>> = names.iter().map(|name| Dimension::parse(name)).collect();
    let by = by.ok_or_else(|| Problem::malformed(format!("by names something else than {}", all())))?;
    let twice = by.iter().enumerate().any(|(at, dimension)| by.iter().take(at).any(|other| other == dimension));
    if twice {
        return Err(Problem::malformed("by names something twice"));
    }
    Ok(by)
}
