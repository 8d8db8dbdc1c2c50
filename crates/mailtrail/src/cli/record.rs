//! An event as a row of output: all columns for programs, the telling ones for people.

use std::io::{self, Write};

use super::output::{Cell, Format, OutputArgs, Sheet};
use crate::settle::Status;
use crate::show::record::{COLUMNS, cells as all};
use crate::store::query::EventRecord;

/// What a table shows.
const SHORT: [&str; 6] = ["time", "event", "recipient", "category", "run", "detail"];

/// Digits of a hash that tell recipients of one list apart.
const HASH_DIGITS: usize = 12;

/// Prints events on stdout.
pub(super) fn print(events: Vec<EventRecord>, output: OutputArgs) -> io::Result<()> {
    fill(Sheet::begin(io::stdout().lock(), output, columns(output.format))?, events, output.format)
}

/// As [`print`], without a heading: one was printed with the first events.
pub(super) fn print_more(events: Vec<EventRecord>, output: OutputArgs) -> io::Result<()> {
    fill(Sheet::go_on(io::stdout().lock(), output, columns(output.format)), events, output.format)
}

fn fill(mut sheet: Sheet<impl Write>, events: Vec<EventRecord>, format: Format) -> io::Result<()> {
    for event in events {
        sheet.row(cells(event, format))?;
    }
    sheet.end().map(drop)
}

pub(super) fn columns(format: Format) -> &'static [&'static str] {
    match format {
        Format::Table => &SHORT,
        Format::Json | Format::Csv => &COLUMNS,
    }
}

pub(super) fn cells(event: EventRecord, format: Format) -> Vec<Cell> {
    match format {
        Format::Table => short(event),
        Format::Json | Format::Csv => all(event),
    }
}

fn short(event: EventRecord) -> Vec<Cell> {
    let detail = detail(&event);
    let recipient = match (&event.email, &event.email_hash, &event.email_domain) {
        (Some(email), ..) => email.clone(),
        (None, Some(hash), Some(domain)) => format!("{}…@{domain}", begin(hash)),
        (None, Some(hash), None) => format!("{}…", begin(hash)),
        (None, None, _) => String::new(),
    };
    vec![
        Cell::Time(event.timestamp),
        Cell::Text(named(&event)),
        Cell::Text(recipient),
        Cell::Text(event.category.join(", ")),
        Cell::text(event.run),
        Cell::Text(detail),
    ]
}

fn begin(hash: &str) -> &str {
    hash.get(..HASH_DIGITS).unwrap_or(hash)
}

/// The event's name, with what SendGrid's own page would call it where that differs.
fn named(event: &EventRecord) -> String {
    match event.mail_status() {
        Status::Blocked => "bounce (blocked)".to_owned(),
        _ if event.sg_machine_open == Some(true) => format!("{} (machine)", event.event),
        _ => event.event.clone(),
    }
}

/// What makes this event telling: why, or where to.
fn detail(event: &EventRecord) -> String {
    let class = event.bounce_classification.as_deref().map(|class| format!("[{class}] ")).unwrap_or_default();
    let text = [&event.reason, &event.response, &event.url].into_iter().flatten().next();
    format!("{class}{}", text.map(|text| text.trim()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
