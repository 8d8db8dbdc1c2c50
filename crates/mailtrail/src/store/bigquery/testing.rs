//! Events for tests, and a reader of rows.

mod decode;

pub(crate) use decode::decode;

use super::names::Names;
use crate::config::bigquery::{BigQuery, Endpoint, Name};
use crate::store::query::EventRecord;

/// An event with every column; each text holds its column's name.
pub(crate) fn full_event(id: i64) -> EventRecord {
    let text = |name: &str| Some(format!("{name} {id}"));
    let json = |name: &str| Some(format!("{{\"{name}\":{id}}}"));
    EventRecord {
        id,
        sg_event_id: text("sg_event_id"),
        event: format!("event {id}"),
        timestamp: 1_790_000_000_000_000 + id,
        email_hash: text("email_hash"),
        email_domain: text("email_domain"),
        email: text("email"),
        sg_message_id: text("sg_message_id"),
        message_id: text("message_id"),
        smtp_id: text("smtp_id"),
        category: vec!["category".to_owned(), "日本".to_owned()],
        reason: text("reason"),
        response: text("response"),
        status: text("status"),
        r#type: text("type"),
        bounce_classification: text("bounce_classification"),
        attempt: Some(id),
        asm_group_id: Some(-id),
        url: text("url"),
        useragent: text("useragent"),
        ip: text("ip"),
        sg_machine_open: Some(true),
        tls: Some(false),
        run: text("run"),
        recipient: text("recipient"),
        request: text("request"),
        custom_args: json("custom_args"),
        extra: json("extra"),
        received_at: 1_790_000_001_000_000,
        verified_by: text("verified_by"),
        key_id: text("key_id"),
        event_key: format!("event_key {id}"),
        fingerprint: format!("fingerprint {id}"),
    }
}

/// An event with what every event has.
pub(crate) fn bare_event(id: i64) -> EventRecord {
    EventRecord {
        sg_event_id: None,
        email_hash: None,
        email_domain: None,
        email: None,
        sg_message_id: None,
        message_id: None,
        smtp_id: None,
        category: Vec::new(),
        reason: None,
        response: None,
        status: None,
        r#type: None,
        bounce_classification: None,
        attempt: None,
        asm_group_id: None,
        url: None,
        useragent: None,
        ip: None,
        sg_machine_open: None,
        tls: None,
        run: None,
        recipient: None,
        request: None,
        custom_args: None,
        extra: None,
        verified_by: None,
        key_id: None,
        ..full_event(id)
    }
}

/// Names of tables, for texts of statements.
pub(crate) fn names() -> Names {
    let name = |text| Name::new(text).expect("a name");
    let endpoint = || Endpoint::new("http://127.0.0.1:1").expect("an address");
    Names::of(&BigQuery {
        project: name("p"),
        dataset: name("d"),
        table: name("t"),
        location: None,
        endpoint: endpoint(),
        grpc_endpoint: endpoint(),
        forward: false,
        quota_project: None,
        max_bytes_billed: 1,
        append_timeout: std::time::Duration::from_secs(1),
    })
}
