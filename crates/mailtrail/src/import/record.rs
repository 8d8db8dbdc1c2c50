//! Another trail of mailtrail's, read-only and page by page.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::row::{self, Unknown};
use super::source::{Item, Source, SourceError};
use crate::protect::StoredEvent;
use crate::store::query::{EventRecord, Filter, Place};
use crate::store::sqlite::Reader;

const PAGE: usize = 2_000;

pub(super) struct OtherTrail {
    reader: Reader,
    filter: Filter,
    after: Option<Place>,
    ready: VecDeque<EventRecord>,
    ended: bool,
    read: u64,
    unknown: Unknown,
}

impl OtherTrail {
    pub(super) fn new(reader: Reader) -> Self {
        let filter = Filter { include_tests: true, ..Filter::default() };
        Self { reader, filter, after: None, ready: VecDeque::new(), ended: false, read: 0, unknown: Unknown::default() }
    }
}

impl Source for OtherTrail {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        if self.ready.is_empty() && !self.ended {
            let page = self.reader.page(&self.filter, self.after.as_ref(), PAGE)?.value;
            self.after = page.last().map(EventRecord::place);
            self.ended = page.is_empty();
            self.ready = page.into();
        }
        let Some(record) = self.ready.pop_front() else { return Ok(None) };
        self.read += 1;
        Ok(Some(Item::Row(Box::new(stored(record)))))
    }

    fn read(&self) -> u64 {
        self.read
    }

    fn unknown(&self) -> &Unknown {
        &self.unknown
    }
}

fn stored(record: EventRecord) -> StoredEvent {
    StoredEvent {
        event_key: row::key(&record.event_key).ok(),
        fingerprint: row::key(&record.fingerprint).ok(),
        event: record.event,
        timestamp: record.timestamp,
        sg_event_id: record.sg_event_id,
        email: record.email.map(Zeroizing::new),
        email_hash: record.email_hash,
        email_domain: record.email_domain,
        sg_message_id: record.sg_message_id,
        message_id: record.message_id,
        smtp_id: record.smtp_id,
        category: record.category,
        reason: record.reason,
        response: record.response,
        status: record.status,
        r#type: record.r#type,
        bounce_classification: record.bounce_classification,
        attempt: record.attempt,
        asm_group_id: record.asm_group_id,
        url: record.url,
        useragent: record.useragent,
        ip: record.ip,
        sg_machine_open: record.sg_machine_open,
        tls: record.tls,
        run: record.run,
        recipient: record.recipient,
        request: record.request,
        custom_args: record.custom_args,
        extra: record.extra,
        left_over: Vec::new(),
        received_at: Some(record.received_at),
        verified_by: record.verified_by,
        key_id: record.key_id,
    }
}
