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
    /// Looks the whole file through first: of a damaged one, rows could be missing without any error.
    pub(super) fn new(reader: Reader) -> Result<Self, SourceError> {
        if let Some(damage) = reader.damage()? {
            return Err(SourceError::Form(format!(
                "it is damaged ({damage}). Import a backup of it, or what `sqlite3 FILE .recover` saves"
            )));
        }
        let filter = Filter { include_tests: true, ..Filter::default() };
        let (ready, unknown) = (VecDeque::new(), Unknown::default());
        Ok(Self { reader, filter, after: None, ready, ended: false, read: 0, unknown })
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::store::Paths;
    use crate::store::sqlite::Trail;
    use crate::store::testing::{plain_seal, record};

    #[test]
    fn a_damaged_trail_is_refused_before_a_row_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(folder.path().join("t.db"));
        let mut trail = Trail::open(paths.trail()).expect("opened");
        trail.append(&[record(0..500)], &plain_seal).expect("appended");
        trail.settle().expect("settled");
        drop(trail);
        assert!(OtherTrail::new(Reader::open(&paths).expect("opened")).is_ok());
        // A page of a table or an index in the middle of the file.
        let file = std::fs::OpenOptions::new().write(true).open(paths.trail()).expect("opened");
        let middle = file.metadata().expect("read").len() / 4096 / 2 * 4096;
        file.write_all_at(&[0xff; 64], middle).expect("written");
        let refused = Reader::open(&paths).map_err(SourceError::from).and_then(OtherTrail::new);
        assert!(refused.is_err());
    }
}
