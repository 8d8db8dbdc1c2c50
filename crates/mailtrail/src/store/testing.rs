//! What tests of the store share: batches made without `protect`, and a trail's content as a set.

use std::path::Path;

use crate::protect::{AddressRow, BackupKey, BatchRow, EventRow, ForgottenKey, ProtectedBatch, SealedRow};
use crate::spool::Record;
use crate::store::keys::{Identity, Keys};

/// The event number `n`: the same at each call.
pub(crate) fn event(n: u64) -> EventRow<String> {
    let mut event_key = [7; 16];
    event_key[..8].copy_from_slice(&n.to_le_bytes());
    let mut email_hash = [9; 32];
    email_hash[0] = n.to_le_bytes()[0] % 5;
    let message_id = n.is_multiple_of(2).then(|| format!("message-{}", n / 4));
    EventRow {
        event_key,
        fingerprint: [3; 16],
        timestamp: 1_780_000_000_000_000 + i64::try_from(n % 50).expect("small") * 1_000_000,
        event: if n.is_multiple_of(3) { "delivered".into() } else { "bounce".into() },
        address: (!n.is_multiple_of(7)).then(|| AddressRow {
            email_hash,
            email_domain: Some("example.com".into()),
            email: None,
        }),
        sg_event_id: Some(format!("event-{n}")),
        sg_message_id: message_id.as_ref().map(|id| format!("{id}.filter-1")),
        message_id,
        smtp_id: None,
        category: match n % 4 {
            0 => vec![],
            1 => vec!["news".into()],
            _ => vec!["news".into(), format!("c{}", n % 3), "news".into()],
        },
        reason: n.is_multiple_of(5).then(|| "550 no; '); DROP TABLE event; --".into()),
        response: None,
        status: None,
        r#type: None,
        bounce_classification: None,
        attempt: Some(i64::try_from(n % 9).expect("small")),
        asm_group_id: None,
        url: None,
        useragent: None,
        ip: None,
        sg_machine_open: Some(n.is_multiple_of(2)),
        tls: None,
        run: n.is_multiple_of(4).then(|| "run".into()),
        recipient: None,
        request: None,
        custom_args: None,
        extra: None,
        sample: false,
    }
}

pub(crate) fn batch(events: impl IntoIterator<Item = u64>) -> BatchRow<String> {
    BatchRow {
        received_at: 1_780_000_100_000_000,
        verified_by: Some("0123456789abcdef".into()),
        key_id: "key-1".into(),
        events: events.into_iter().map(event).collect(),
        sealed: vec![],
    }
}

pub(crate) fn record(events: impl IntoIterator<Item = u64>) -> Record {
    encode(batch(events))
}

pub(crate) fn encode(batch: BatchRow<String>) -> Record {
    Record::of(ProtectedBatch::vouched_for(batch))
}

/// Seals without hiding anything.
pub(crate) fn plain_seal(bytes: &[u8], why: &str) -> SealedRow<String> {
    let mut item_key = [0; 16];
    for (index, byte) in bytes.iter().enumerate() {
        item_key[index % 16] ^= byte.rotate_left(u32::try_from(index / 16 % 8).expect("small"));
    }
    SealedRow { item_key, why: why.into(), seal_key_id: "seal-1".into(), sealed: bytes.to_vec() }
}

/// Keys that hide nothing.
pub(crate) struct PlainKeys;

impl Keys for PlainKeys {
    fn identity(&self) -> Identity {
        Identity {
            hash_mode: "hmac-sha256".into(),
            key_id: "key-1".into(),
            previous_key_ids: vec![],
            dedupe_check: "dedupe-1".into(),
            seal_key_id: "seal-1".into(),
            previous_seal_key_ids: vec![],
            forgotten_key: ForgottenKey::for_tests(),
            backup_key: BackupKey::for_tests(),
        }
    }

    fn seal(&self, bytes: &[u8], why: &str) -> SealedRow<String> {
        plain_seal(bytes, why)
    }

    fn open(&self, seal_key_id: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        (seal_key_id == "seal-1").then(|| sealed.to_vec())
    }
}

/// A second connection to a trail, as another process would have.
pub(crate) fn connect(trail: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(trail).expect("the trail opens");
    connection.busy_timeout(std::time::Duration::from_secs(10)).expect("set");
    connection
}

/// The ids of all stored events, sorted.
pub(crate) fn stored(trail: &Path) -> Vec<String> {
    texts(trail, "SELECT sg_event_id FROM sendgrid_event ORDER BY sg_event_id")
}

/// The first column of a query's rows.
pub(crate) fn texts(trail: &Path, query: &str) -> Vec<String> {
    let connection = connect(trail);
    let mut statement = connection.prepare(query).expect("a statement");
    let rows = statement.query_map((), |row| row.get(0)).expect("runs");
    rows.collect::<rusqlite::Result<_>>().expect("rows")
}

pub(crate) fn ids(events: impl IntoIterator<Item = u64>) -> Vec<String> {
    let mut ids: Vec<_> = events.into_iter().map(|n| format!("event-{n}")).collect();
    ids.sort();
    ids
}
