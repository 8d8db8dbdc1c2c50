//! An event as a row of output: all columns for programs, the telling ones for people.

use std::io::{self, Write};

use super::output::{Cell, Format, OutputArgs, Sheet};
use crate::settle::Status;
use crate::store::query::EventRecord;

/// Every column, in the order of the design.
pub(super) const COLUMNS: [&str; 34] = [
    "sg_event_id",
    "event",
    "timestamp",
    "email_hash",
    "email_domain",
    "email",
    "sg_message_id",
    "message_id",
    "smtp_id",
    "category",
    "reason",
    "response",
    "status",
    "type",
    "bounce_classification",
    "attempt",
    "asm_group_id",
    "url",
    "useragent",
    "ip",
    "sg_machine_open",
    "tls",
    "run",
    "recipient",
    "request",
    "custom_args",
    "extra",
    "received_at",
    "verified_by",
    "key_id",
    "event_key",
    "fingerprint",
    "id",
    "mail_status",
];

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

fn all(event: EventRecord) -> Vec<Cell> {
    let status = event.mail_status();
    let flag = |value: Option<bool>| value.map_or(Cell::Null, Cell::Bool);
    let number = |value: Option<i64>| value.map_or(Cell::Null, Cell::Integer);
    let json = |value: Option<String>| value.map_or(Cell::Null, Cell::Json);
    vec![
        Cell::text(event.sg_event_id),
        Cell::Text(event.event),
        Cell::Time(event.timestamp),
        Cell::text(event.email_hash),
        Cell::text(event.email_domain),
        Cell::text(event.email),
        Cell::text(event.sg_message_id),
        Cell::text(event.message_id),
        Cell::text(event.smtp_id),
        Cell::List(event.category),
        Cell::text(event.reason),
        Cell::text(event.response),
        Cell::text(event.status),
        Cell::text(event.r#type),
        Cell::text(event.bounce_classification),
        number(event.attempt),
        number(event.asm_group_id),
        Cell::text(event.url),
        Cell::text(event.useragent),
        Cell::text(event.ip),
        flag(event.sg_machine_open),
        flag(event.tls),
        Cell::text(event.run),
        Cell::text(event.recipient),
        Cell::text(event.request),
        json(event.custom_args),
        json(event.extra),
        Cell::Time(event.received_at),
        Cell::text(event.verified_by),
        Cell::text(event.key_id),
        Cell::Text(event.event_key),
        Cell::Text(event.fingerprint),
        // BigQuery numbers nothing.
        number((event.id > 0).then_some(event.id)),
        if status == Status::Unknown { Cell::Null } else { Cell::Text(status.as_str().to_owned()) },
    ]
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
