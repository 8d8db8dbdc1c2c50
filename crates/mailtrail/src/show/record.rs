//! An event as a row: all its columns.

use super::Cell;
use crate::settle::Status;
use crate::store::query::EventRecord;

/// Every column, in the order of the design.
pub const COLUMNS: [&str; 34] = [
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

/// The cells, in the order of [`COLUMNS`].
#[must_use]
pub fn cells(event: EventRecord) -> Vec<Cell> {
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
