//! The events of a view as a file: in the order of time, page after page, so that a long one holds nothing up.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::activity;
use super::asked::Asked;
use super::failure::Failure;
use super::page::App;
use super::readers::Readers;
use super::visitor::Visitor;
use crate::config::Role;
use crate::show::csv::{self, Manner};
use crate::show::{json, record};
use crate::store::query::{EventRecord, Filter, Place};
use crate::store::questions::{AskError, Questions};

/// Events read at once.
const PAGE: usize = 2_000;

/// By which clock CSV is written, and how it begins. JSON is UTC.
#[derive(Debug, Clone)]
pub(super) struct Style {
    zone: TimeZone,
    bom: bool,
}

/// What is written.
#[derive(Debug, Clone)]
pub(super) enum Format {
    Csv(Style),
    Ndjson,
}

impl Format {
    pub(super) fn parse(name: &str, style: Style) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv(style)),
            "ndjson" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// The form of the Activity page: for operators, and only from our own page.
pub(super) async fn from_form(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Failure> {
    let field = |wanted: &str| {
        form_urlencoded::parse(&body).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    if !visitor.person.sent(&field("csrf").unwrap_or_default()) {
        return Err(Failure::OldForm);
    }
    if visitor.person.role < Role::Operator {
        return Err(Failure::NotAllowed);
    }
    let style = Style { zone: app.output.time_zone.clone(), bom: app.output.csv_bom };
    let format = field("format").and_then(|name| Format::parse(&name, style)).ok_or(Failure::OldForm)?;
    let asked = Asked::parse(query.as_deref().unwrap_or_default());
    let (filter, _) = activity::filter(&app, &asked, visitor.preferences.texts()).map_err(Failure::Wrong)?;
    Ok(begin(&app, filter, format))
}

/// The answer with all events of a filter.
pub(super) fn begin(app: &App, filter: Filter, format: Format) -> Response {
    if app.source.costs() {
        let (sender, receiver) = mpsc::channel(2);
        let response = answer(receiver, &format);
        // One question, whose answer comes page by page.
        let asked = app.source.clone();
        tokio::spawn(async move {
            let failed = sender.clone();
            let written = asked.ask(move |store| write_pages(store, &filter, &format, &sender)).await;
            if let Err(failure) = written {
                // An error says that the browser has gone away.
                let _gone = failed.send(Err(io::Error::other(failure.told()))).await;
            }
        });
        return response;
    }
    stream(&app.readers, filter, format)
}

/// The answer, whose body comes as it is read. A failure on the way breaks the answer off, so that half a file never looks
/// like a whole one.
fn stream(readers: &Arc<Readers>, filter: Filter, format: Format) -> Response {
    let (sender, receiver) = mpsc::channel(2);
    let response = answer(receiver, &format);
    tokio::spawn(write(Arc::clone(readers), filter, format, sender));
    response
}

fn answer(receiver: mpsc::Receiver<Chunk>, format: &Format) -> Response {
    let chunks = Chunks(receiver);
    let (kind, name) = match format {
        Format::Csv(_) => ("text/csv; charset=utf-8", "attachment; filename=\"mailtrail-events.csv\""),
        Format::Ndjson => ("application/x-ndjson", "attachment; filename=\"mailtrail-events.ndjson\""),
    };
    let headers: [(HeaderName, &str); 2] = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    (headers, Body::new(chunks)).into_response()
}

type Chunk = Result<Bytes, io::Error>;

async fn write(readers: Arc<Readers>, filter: Filter, format: Format, sender: mpsc::Sender<Chunk>) {
    let mut after: Option<Place> = None;
    let mut first = true;
    loop {
        let (page_filter, place) = (filter.clone(), after.take());
        let page = readers.ask(move |reader| Ok(reader.page(&page_filter, place.as_ref(), PAGE)?.value)).await;
        let chunk = match page {
            Ok(events) => {
                after = events.last().map(EventRecord::place);
                rows(events, &format, first).map(Bytes::from)
            }
            Err(failure) => Err(io::Error::other(failure.told())),
        };
        first = false;
        let failed = chunk.is_err();
        // An error says that the browser has gone away.
        if sender.send(chunk).await.is_err() || failed || after.is_none() {
            return;
        }
    }
}

fn write_pages(
    store: &dyn Questions,
    filter: &Filter,
    format: &Format,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), AskError> {
    let mut first = true;
    for page in store.pages(filter, PAGE) {
        let chunk = rows(page?.value, format, first).map(Bytes::from);
        first = false;
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return Ok(());
        }
    }
    if first {
        // Nothing was found: the heading alone.
        let _gone = sender.blocking_send(rows(Vec::new(), format, true).map(Bytes::from));
    }
    Ok(())
}

fn rows(events: Vec<EventRecord>, format: &Format, first: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(events.len() * 512 + 512);
    match format {
        Format::Csv(style) => {
            let manner = Manner { raw: false, terminal: false, zone: &style.zone, bom: style.bom };
            if first {
                csv::heading(&mut out, &record::COLUMNS, manner)?;
            }
            for event in events {
                csv::line(&mut out, &record::cells(event), manner)?;
            }
        }
        Format::Ndjson => {
            let columns: Vec<String> = record::COLUMNS.iter().map(|name| (*name).to_owned()).collect();
            for event in events {
                json::line(&mut out, &columns, &record::cells(event))?;
            }
        }
    }
    Ok(out)
}

/// What comes through a channel, as a body.
struct Chunks(mpsc::Receiver<Chunk>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(hyper::body::Frame::data)))
    }
}
