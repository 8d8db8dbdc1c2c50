use proptest::prelude::*;

use super::*;
use crate::store::query::EventRecord;

/// Some event, with and without each of its values.
fn any_event() -> impl Strategy<Value = EventRecord> {
    let text = || prop::option::of(any::<String>());
    let texts = prop::collection::vec(text(), 22);
    let numbers = (prop::option::of(any::<i64>()), prop::option::of(any::<i64>()), any::<i64>(), any::<i64>());
    let flags = (prop::option::of(any::<bool>()), prop::option::of(any::<bool>()));
    (texts, numbers, flags, prop::collection::vec(any::<String>(), 0..4), any::<[u8; 16]>()).prop_map(
        |(texts, (attempt, asm_group_id, timestamp, received_at), (sg_machine_open, tls), category, key)| {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            EventRecord {
                id: 0,
                sg_event_id: text(),
                event: text().unwrap_or_default(),
                timestamp,
                email_hash: text(),
                email_domain: text(),
                email: text(),
                sg_message_id: text(),
                message_id: text(),
                smtp_id: text(),
                category,
                reason: text(),
                response: text(),
                status: text(),
                r#type: text(),
                bounce_classification: text(),
                attempt,
                asm_group_id,
                url: text(),
                useragent: text(),
                ip: text(),
                sg_machine_open,
                tls,
                run: text(),
                recipient: text(),
                request: text(),
                custom_args: text(),
                extra: text(),
                received_at,
                verified_by: text(),
                key_id: text(),
                event_key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
                fingerprint: "ab".repeat(16),
            }
        },
    )
}

fn written(events: &[EventRecord], form: Form) -> std::fs::File {
    let mut writer = Writer::begin(tempfile::tempfile().unwrap(), form).unwrap();
    for page in events.chunks(7) {
        writer.add(page).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(events in prop::collection::vec(any_event(), 0..30), keeping in any::<bool>()) {
        let file = written(&events, if keeping { Form::ForKeeping } else { Form::ForExchange });
        let read: Vec<EventRecord> =
            Records::open(file.try_clone().unwrap()).unwrap().flat_map(Result::unwrap).collect();
        prop_assert_eq!(&read, &events);
        let keys: Vec<Key> = Keys::open(file).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(keys, events.iter().map(|event| Key::of(event).unwrap()).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_file_is_an_error_and_no_panic(
        events in prop::collection::vec(any_event(), 1..10), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        use std::io::{Read as _, Seek as _, Write as _};
        let mut file = written(&events, Form::ForKeeping);
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut damaged = tempfile::tempfile().unwrap();
        damaged.write_all(&bytes).unwrap();
        // Whatever comes out: it ends, in events or in an error.
        if let Ok(records) = Records::open(damaged) {
            let _ended = records.take_while(Result::is_ok).count();
        }
    }
}

#[test]
fn another_table_is_refused_by_its_columns() {
    use std::sync::Arc;

    let column: arrow_array::ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1]));
    let batch = arrow_array::RecordBatch::try_from_iter([("event", column)]).unwrap();
    let file = tempfile::tempfile().unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert!(matches!(Records::open(file.try_clone().unwrap()).unwrap().next(), Some(Err(FormError::Column { .. }))));
    assert!(matches!(Keys::open(file).map(|mut keys| keys.next()), Ok(Some(Err(FormError::Column { .. })))));
}
