//! Named values, from whatever kind of file → an event's columns.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sendgrid_events::value::Object;
use sendgrid_events::{Timestamp, Value, batch};
use zeroize::Zeroizing;

use super::cell::Cell;
use crate::protect::{StoredEvent, without_addresses};

/// Why a row is no event. Says nothing of its content. The names begin as [`crate::store::replay::UNREAD_ROW`] says, since
/// `replay` reads what SendGrid sent, and no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No object, or one that nests too deep; a record with other cells than its heading.
    Malformed,
    NoEvent,
    NoTimestamp,
    /// A timestamp that is none, such as a date without an offset.
    BadTimestamp,
    /// `event_key` or `fingerprint` that is none.
    BadKey,
}

impl Fault {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Fault::Malformed => "import_malformed",
            Fault::NoEvent => "import_no_event_name",
            Fault::NoTimestamp => "import_no_timestamp",
            Fault::BadTimestamp => "import_bad_timestamp",
            Fault::BadKey => "import_bad_event_key",
        }
    }
}

/// Columns that say nothing that the others do not: the trail's own number, and what `mail_status` is made of.
const DERIVED: [&str; 2] = ["id", "mail_status"];

/// Columns that are no texts.
const OTHERS: [&str; 12] = [
    "event",
    "timestamp",
    "received_at",
    "event_key",
    "fingerprint",
    "category",
    "categories",
    "email",
    "attempt",
    "asm_group_id",
    "sg_machine_open",
    "tls",
];

/// Most names of columns that are remembered for being told.
const MOST_UNKNOWN: usize = 20;

/// Columns of a source that could not be used: no event has them, or their values could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknown {
    names: BTreeSet<String>,
    unreadable: BTreeMap<&'static str, u64>,
}

impl Unknown {
    /// Their names, without what may be an address.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Columns with values that could not be read, and in how many rows.
    pub fn unreadable(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.unreadable.iter().map(|(name, rows)| (*name, *rows))
    }

    pub(super) fn note(&mut self, name: &str) {
        if self.names.len() < MOST_UNKNOWN {
            self.names.insert(without_addresses(name).chars().take(40).collect());
        }
    }

    /// A value of a column that has to be one of a form; `None` where it is not.
    fn readable<T>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            *self.unreadable.entry(name).or_default() += 1;
        }
        value
    }
}

/// An object of JSON as a row.
pub(super) fn of_object(bytes: &[u8], unknown: &mut Unknown) -> Result<StoredEvent, Fault> {
    let object = batch::object(bytes).map_err(|_| Fault::Malformed)?;
    of_cells(object.iter().map(|(name, value)| (name.as_ref(), cell(value))), unknown)
}

fn cell<'v>(value: &'v Value<'_>) -> Cell<'v> {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Bool(*flag),
        Value::Number(token) => Cell::Number(Cow::Borrowed(token)),
        Value::String(text) => Cell::Text(Cow::Borrowed(text)),
        Value::Array(items) if items.iter().all(|item| item.as_str().is_some()) => {
            Cell::List(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Value::Array(_) | Value::Object(_) | Value::Unpaired(_) => {
            let mut json = String::new();
            value.write_json(&mut json);
            Cell::Text(Cow::Owned(json))
        }
    }
}

/// Whether an object is a row rather than an event as SendGrid posts it.
pub(super) fn is_row(object: &Object<'_>) -> bool {
    let has = |name: &str| object.iter().any(|(key, value)| key == name && !matches!(value, Value::Null));
    let posted_time = object.iter().any(|(key, value)| {
        key == "timestamp"
            && match value {
                Value::Number(_) => true,
                Value::String(text) => !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit()),
                _ => false,
            }
    });
    if has("event_key") || !posted_time {
        return true;
    }
    // A custom arg may have the name.
    has("email_hash") && !has("smtp-id") && !has("sg_message_id")
}

/// A row of named cells. Of a repeated name the last counts.
pub(super) fn of_cells<'c>(
    cells: impl Iterator<Item = (&'c str, Cell<'c>)>,
    unknown: &mut Unknown,
) -> Result<StoredEvent, Fault> {
    let mut row = StoredEvent::default();
    let usable = |micros: Option<i64>| micros.and_then(Timestamp::from_micros).map(Timestamp::as_micros);
    let mut timestamp = Err(Fault::NoTimestamp);
    for (name, cell) in cells {
        if matches!(cell, Cell::Null) {
            continue;
        }
        let name = name.trim().to_ascii_lowercase();
        match name.as_str() {
            "event" => row.event = cell.into_text(),
            "timestamp" => {
                timestamp = unknown.readable("timestamp", usable(cell.micros())).ok_or(Fault::BadTimestamp);
            }
            "received_at" => row.received_at = unknown.readable("received_at", usable(cell.micros())),
            "event_key" => {
                let key = unknown.readable("event_key", key(&cell.into_text()).ok());
                row.event_key = Some(key.ok_or(Fault::BadKey)?);
            }
            "fingerprint" => {
                let key = unknown.readable("fingerprint", key(&cell.into_text()).ok());
                row.fingerprint = Some(key.ok_or(Fault::BadKey)?);
            }
            "category" | "categories" => row.category = cell.into_list(),
            "email" => row.email = Some(Zeroizing::new(cell.into_text())),
            "attempt" => fit(&mut row.attempt, cell.integer(), cell, &name, &mut row.left_over),
            "asm_group_id" => fit(&mut row.asm_group_id, cell.integer(), cell, &name, &mut row.left_over),
            "sg_machine_open" => fit(&mut row.sg_machine_open, cell.flag(), cell, &name, &mut row.left_over),
            "tls" => fit(&mut row.tls, cell.flag(), cell, &name, &mut row.left_over),
            name => match text_column(&mut row, name) {
                Some(column) => *column = Some(cell.into_text()),
                None if DERIVED.contains(&name) => {}
                None => unknown.note(name),
            },
        }
    }
    row.timestamp = timestamp?;
    if row.event.trim().is_empty() { Err(Fault::NoEvent) } else { Ok(row) }
}

/// A value in its column; one that does not fit is kept by its name.
fn fit<T>(column: &mut Option<T>, value: Option<T>, cell: Cell<'_>, name: &str, left_over: &mut Vec<(String, String)>) {
    match value {
        Some(value) => *column = Some(value),
        None => left_over.push((name.to_owned(), cell.into_text())),
    }
}

/// Whether an event has a column of this name.
pub(super) fn is_column(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    text_column(&mut StoredEvent::default(), &name).is_some() || OTHERS.contains(&name.as_str())
}

fn text_column<'r>(row: &'r mut StoredEvent, name: &str) -> Option<&'r mut Option<String>> {
    Some(match name {
        "sg_event_id" => &mut row.sg_event_id,
        "email_hash" => &mut row.email_hash,
        "email_domain" => &mut row.email_domain,
        "sg_message_id" => &mut row.sg_message_id,
        "message_id" => &mut row.message_id,
        "smtp_id" | "smtp-id" => &mut row.smtp_id,
        "reason" => &mut row.reason,
        "response" => &mut row.response,
        "status" => &mut row.status,
        "type" => &mut row.r#type,
        "bounce_classification" => &mut row.bounce_classification,
        "url" => &mut row.url,
        "useragent" => &mut row.useragent,
        "ip" => &mut row.ip,
        "run" => &mut row.run,
        "recipient" => &mut row.recipient,
        "request" => &mut row.request,
        "custom_args" => &mut row.custom_args,
        "extra" => &mut row.extra,
        "verified_by" => &mut row.verified_by,
        "key_id" => &mut row.key_id,
        _ => return None,
    })
}

/// 16 bytes, as hex.
pub(super) fn key(text: &str) -> Result<[u8; 16], Fault> {
    let digits: Vec<u8> = text.trim().chars().filter_map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    if digits.len() != 32 || text.trim().len() != 32 {
        return Err(Fault::BadKey);
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
