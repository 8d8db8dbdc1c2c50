//! What holds for every body, whatever it is made of. The property tests and the fuzz targets share it.

use std::collections::HashMap;

use sendgrid_events::{Batch, Event, Item};
use serde_json::value::RawValue;

/// Parses `body`, checks everything that must hold, and gives the batch back.
///
/// # Panics
/// When an invariant is broken: that is its purpose.
pub(crate) fn checked(body: &[u8]) -> Batch<'_> {
    let batch = Batch::parse(body);
    check_count(body, &batch);
    for item in &batch.items {
        match item {
            Item::Event(event) => check_canonical(event),
            Item::Rejected(part) => {
                let (whole, part) = (body.as_ptr_range(), part.bytes.as_ptr_range());
                assert!(whole.start <= part.start && part.end <= whole.end, "a rejected part is not of the body");
            }
        }
    }
    if let Some(objects) = objects(body) {
        assert_eq!(objects.len(), batch.items.len(), "items and elements differ in number");
        for (object, item) in objects.iter().zip(&batch.items) {
            if let Item::Event(event) = item {
                check_keys(object, event);
            }
        }
    }
    batch
}

/// The elements of a body as another parser sees them; `None` where they are not all objects.
fn objects(body: &[u8]) -> Option<Vec<HashMap<String, Box<RawValue>>>> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.trim_ascii_start().first() == Some(&b'{') {
        return serde_json::from_slice(body).ok().map(|object| vec![object]);
    }
    serde_json::from_slice(body).ok().filter(|objects: &Vec<_>| objects.len() <= 20_000)
}

/// As many items as elements, where another parser can count them at all.
fn check_count(body: &[u8], batch: &Batch<'_>) {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(body)
        && elements.len() <= 20_000
    {
        assert_eq!(batch.items.len(), elements.len(), "items and elements differ in number");
    }
}

/// The canonical form is JSON, reads as the same event, and is its own canonical form.
fn check_canonical(event: &Event<'_>) {
    let again = Batch::parse(event.canonical().as_bytes());
    let [Item::Event(again)] = again.items.as_slice() else {
        panic!("the canonical form of an event is not an event: {again:?}");
    };
    assert_eq!(again.canonical(), event.canonical(), "the canonical form is not stable");
    assert_eq!(again.event, event.event, "the canonical form has another type");
    assert_eq!(again.timestamp, event.timestamp, "the canonical form has another time");
    assert_eq!(again.custom_args.len(), event.custom_args.len(), "the canonical form has other custom args");
}

/// Every key sent is in a field, among the custom args or among the rest. `null` fits a field as its absence, and so
/// does an empty list of categories.
fn check_keys(sent: &HashMap<String, Box<RawValue>>, event: &Event<'_>) {
    for (key, value) in sent {
        let kept = event.custom_args.iter().chain(&event.extra).any(|(kept, _)| kept == key);
        let absent = value.get() == "null" || (key == "category" && value.get().starts_with('['));
        assert!(kept || has_field(event, key) || absent, "a key of {} characters is lost", key.chars().count());
    }
}

fn has_field(event: &Event<'_>, key: &str) -> bool {
    match key {
        "event" | "timestamp" => true,
        "email" => event.email.is_some(),
        "sg_event_id" => event.sg_event_id.is_some(),
        "sg_message_id" => event.sg_message_id.is_some(),
        "smtp-id" => event.smtp_id.is_some(),
        "category" => !event.category.is_empty(),
        "reason" => event.reason.is_some(),
        "response" => event.response.is_some(),
        "status" => event.status.is_some(),
        "type" => event.r#type.is_some(),
        "bounce_classification" => event.bounce_classification.is_some(),
        "attempt" => event.attempt.is_some(),
        "asm_group_id" => event.asm_group_id.is_some(),
        "url" => event.url.is_some(),
        "useragent" => event.useragent.is_some(),
        "ip" => event.ip.is_some(),
        "sg_machine_open" => event.sg_machine_open.is_some(),
        "tls" => event.tls.is_some(),
        _ => false,
    }
}
