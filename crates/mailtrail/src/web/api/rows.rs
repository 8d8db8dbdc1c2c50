//! Rows as the answer's body: one JSON object a line, written as it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;

use crate::show::{Cell, json, time};
use crate::store::query::Scanned;
use crate::store::remote::wire::{ABOUT, About, LookedThrough, Waiting};
use crate::store::sends::waiting;
use crate::web::page::App;

/// So much is written at once.
const CHUNK: usize = 64 * 1024;

/// The kind of all answers that are rows.
const NDJSON: &str = "application/x-ndjson";

/// Rows, with what is to be said beside them.
pub(super) fn answer<I>(columns: &[&str], rows: I, about: &About) -> Response
where
    I: IntoIterator<Item = Vec<Cell>>,
    I::IntoIter: Send + Unpin + 'static,
{
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let rows = Rows { columns, rows: rows.into_iter() };
    let mut response = ([(header::CONTENT_TYPE, NDJSON)], Body::new(rows)).into_response();
    tell(&mut response, about);
    response
}

/// Says beside the rows what the answer is about.
pub(super) fn tell(response: &mut Response, about: &About) {
    // Nothing but ASCII is in it: numbers, times and own words.
    let told = serde_json::to_string(about).ok().and_then(|json| HeaderValue::from_str(&json).ok());
    if let Some(told) = told {
        response.headers_mut().insert(HeaderName::from_static(ABOUT), told);
    }
}

/// What is received but not in the trail yet, and what had to be looked through.
pub(super) async fn about(app: &App, scanned: Option<&Scanned>) -> About {
    let backlog = backlog(app).await;
    About {
        scanned: scanned.map(|scanned| LookedThrough {
            bytes: scanned.bytes,
            since: scanned.since.map(time::rfc3339),
            why: scanned.why.to_string(),
        }),
        backlog,
        ..About::default()
    }
}

/// What waits for the trail on this machine. That it cannot be counted is no reason to withhold an answer.
async fn backlog(app: &App) -> Option<Waiting> {
    app.keeper.as_ref()?;
    let paths = app.readers.paths().clone();
    let found = tokio::task::spawn_blocking(move || waiting(&paths)).await.ok()?.ok()?;
    Some(found).filter(|(batches, _)| *batches > 0).map(|(batches, events)| Waiting { batches, events })
}

struct Rows<I> {
    columns: Vec<String>,
    rows: I,
}

impl<I: Iterator<Item = Vec<Cell>> + Unpin> hyper::body::Body for Rows<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut out = Vec::new();
        while out.len() < CHUNK {
            let Some(cells) = self.rows.next() else { break };
            let Self { columns, .. } = &*self;
            // Memory takes everything.
            let _written = json::line(&mut out, columns, &cells);
        }
        Poll::Ready((!out.is_empty()).then(|| Ok(Frame::data(Bytes::from(out)))))
    }
}
