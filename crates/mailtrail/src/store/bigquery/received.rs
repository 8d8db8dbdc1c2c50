//! What `protect` made of an event → the record that the tables hold.

use crate::protect::{BatchRow, EventRow};
use crate::store::hex::hex;
use crate::store::query::EventRecord;

/// An event of a batch as it would be read from a store.
pub(super) fn record(batch: &BatchRow<String>, event: &EventRow<String>) -> EventRecord {
    let address = event.address.as_ref();
    EventRecord {
        id: 0,
        sg_event_id: event.sg_event_id.clone(),
        event: event.event.clone(),
        timestamp: event.timestamp,
        email_hash: address.map(|address| hex(&address.email_hash)),
        email_domain: address.and_then(|address| address.email_domain.clone()),
        email: address.and_then(|address| address.email.clone()),
        sg_message_id: event.sg_message_id.clone(),
        message_id: event.message_id.clone(),
        smtp_id: event.smtp_id.clone(),
        category: event.category.clone(),
        reason: event.reason.clone(),
        response: event.response.clone(),
        status: event.status.clone(),
        r#type: event.r#type.clone(),
        bounce_classification: event.bounce_classification.clone(),
        attempt: event.attempt,
        asm_group_id: event.asm_group_id,
        url: event.url.clone(),
        useragent: event.useragent.clone(),
        ip: event.ip.clone(),
        sg_machine_open: event.sg_machine_open,
        tls: event.tls,
        run: event.run.clone(),
        recipient: event.recipient.clone(),
        request: event.request.clone(),
        custom_args: event.custom_args.clone(),
        extra: event.extra.clone(),
        received_at: batch.received_at,
        verified_by: if event.sample { Some("test".to_owned()) } else { batch.verified_by.clone() },
        key_id: address.map(|_| batch.key_id.clone()),
        event_key: hex(&event.event_key),
        fingerprint: hex(&event.fingerprint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Paths;
    use crate::store::sqlite::{Reader, Trail};
    use crate::store::testing::{batch, encode, plain_seal};

    /// Both stores say the same about the same batch.
    #[test]
    fn a_record_is_what_the_trail_would_give_back() {
        let temp = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(temp.path().join("mail.db"));
        let mut rows = batch(0..40);
        rows.events[3].sample = true;
        let mut trail = Trail::open(paths.trail()).expect("opened");
        let record_of = encode(rows.clone());
        trail.append(std::slice::from_ref(&record_of), &plain_seal).expect("appended");
        let mut stored = Reader::open(&paths).expect("opened").after(0, 100).expect("read");
        let mut made: Vec<EventRecord> = rows.events.iter().map(|event| record(&rows, event)).collect();
        assert_eq!(stored.len(), 40);
        for event in &mut stored {
            event.id = 0;
        }
        let key = |event: &EventRecord| event.event_key.clone();
        stored.sort_by_key(key);
        made.sort_by_key(key);
        assert_eq!(stored, made);
    }
}
