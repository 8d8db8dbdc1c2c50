//! Rows → records.

use rusqlite::Row;
use rusqlite::types::Type;

use crate::store::hex::hex;
use crate::store::query::EventRecord;

/// What [`read`] expects, of [`JOINS`].
pub(super) const COLUMNS: &str = "e.id, e.sg_event_id, e.event, e.timestamp, a.email_hash, a.email_domain, a.email, \
     m.sg_message_id, m.message_id, e.smtp_id, l.categories, e.reason, e.response, e.status, e.type, \
     e.bounce_classification, e.attempt, e.asm_group_id, e.url, e.useragent, e.ip, e.sg_machine_open, e.tls, m.run, \
     m.recipient, m.request, m.custom_args, e.extra, e.received_at, p.verified_by, a.key_id, e.event_key, e.fingerprint";

/// What belongs to an event `e`.
pub(super) const JOINS: &str = "CROSS JOIN message AS m ON m.id = e.message
     LEFT JOIN address AS a ON a.id = m.address_id
     LEFT JOIN category_list AS l ON l.id = m.category_list_id
     LEFT JOIN proof AS p ON p.id = e.proof_id";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    let mut at = 0;
    // Columns in their order: a struct's fields are evaluated as written.
    let mut next = || {
        at += 1;
        at - 1
    };
    Ok(EventRecord {
        id: row.get(next())?,
        sg_event_id: row.get(next())?,
        event: row.get(next())?,
        timestamp: row.get(next())?,
        email_hash: row.get(next())?,
        email_domain: row.get(next())?,
        email: row.get(next())?,
        sg_message_id: row.get(next())?,
        message_id: row.get(next())?,
        smtp_id: row.get(next())?,
        category: list(row, next())?,
        reason: row.get(next())?,
        response: row.get(next())?,
        status: row.get(next())?,
        r#type: row.get(next())?,
        bounce_classification: row.get(next())?,
        attempt: row.get(next())?,
        asm_group_id: row.get(next())?,
        url: row.get(next())?,
        useragent: row.get(next())?,
        ip: row.get(next())?,
        sg_machine_open: row.get(next())?,
        tls: row.get(next())?,
        run: row.get(next())?,
        recipient: row.get(next())?,
        request: row.get(next())?,
        custom_args: row.get(next())?,
        extra: row.get(next())?,
        received_at: row.get(next())?,
        verified_by: row.get(next())?,
        key_id: row.get(next())?,
        event_key: hex(row.get_ref(next())?.as_blob()?),
        fingerprint: hex(row.get_ref(next())?.as_blob()?),
    })
}

pub(super) fn list(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<String>> {
    let Some(json) = row.get_ref(at)?.as_str_or_null()? else { return Ok(Vec::new()) };
    serde_json::from_str(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}
