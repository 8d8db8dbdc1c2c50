//! Parquet: the columns of the design, lists as lists, times as timestamps, JSON as text.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::Events;
use crate::store::query::EventRecord;

/// Most events in a row group.
const ROW_GROUP: usize = 100_000;
/// About as many bytes of one are kept in memory before it is written, however long the texts are.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// Writes all events; how many there were.
pub(super) fn write<W: Write + Send>(events: Events<'_>, out: W) -> anyhow::Result<usize> {
    let schema = schema();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).context("beginning the file")?;
    let mut written = 0;
    for page in events.pages() {
        let page = page?;
        written += page.len();
        writer.write(&batch(&page, &schema)?).context("writing events")?;
        if writer.memory_size() > ROW_GROUP_BYTES {
            writer.flush().context("writing events")?;
        }
    }
    writer.close().context("finishing the file")?;
    Ok(written)
}

fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let needed = |name| Field::new(name, DataType::Utf8, false);
    let number = |name| Field::new(name, DataType::Int64, true);
    let flag = |name| Field::new(name, DataType::Boolean, true);
    let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    Arc::new(Schema::new(vec![
        text("sg_event_id"),
        needed("event"),
        time("timestamp"),
        text("email_hash"),
        text("email_domain"),
        text("email"),
        text("sg_message_id"),
        text("message_id"),
        text("smtp_id"),
        Field::new("category", list, false),
        text("reason"),
        text("response"),
        text("status"),
        text("type"),
        text("bounce_classification"),
        number("attempt"),
        number("asm_group_id"),
        text("url"),
        text("useragent"),
        text("ip"),
        flag("sg_machine_open"),
        flag("tls"),
        text("run"),
        text("recipient"),
        text("request"),
        text("custom_args"),
        text("extra"),
        time("received_at"),
        text("verified_by"),
        text("key_id"),
        needed("event_key"),
        needed("fingerprint"),
    ]))
}

fn batch(events: &[EventRecord], schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let text = |of: fn(&EventRecord) -> &Option<String>| -> ArrayRef {
        Arc::new(events.iter().map(|event| of(event).as_deref()).collect::<StringArray>())
    };
    let needed = |of: fn(&EventRecord) -> &str| -> ArrayRef {
        Arc::new(events.iter().map(|event| Some(of(event))).collect::<StringArray>())
    };
    let number =
        |of: fn(&EventRecord) -> Option<i64>| -> ArrayRef { Arc::new(events.iter().map(of).collect::<Int64Array>()) };
    let flag = |of: fn(&EventRecord) -> Option<bool>| -> ArrayRef {
        Arc::new(events.iter().map(of).collect::<BooleanArray>())
    };
    let time = |of: fn(&EventRecord) -> i64| -> ArrayRef {
        Arc::new(events.iter().map(|event| Some(of(event))).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let mut category = ListBuilder::new(StringBuilder::new());
    for event in events {
        event.category.iter().for_each(|name| category.values().append_value(name));
        category.append(true);
    }
    let columns: Vec<ArrayRef> = vec![
        text(|e| &e.sg_event_id),
        needed(|e| &e.event),
        time(|e| e.timestamp),
        text(|e| &e.email_hash),
        text(|e| &e.email_domain),
        text(|e| &e.email),
        text(|e| &e.sg_message_id),
        text(|e| &e.message_id),
        text(|e| &e.smtp_id),
        Arc::new(category.finish()),
        text(|e| &e.reason),
        text(|e| &e.response),
        text(|e| &e.status),
        text(|e| &e.r#type),
        text(|e| &e.bounce_classification),
        number(|e| e.attempt),
        number(|e| e.asm_group_id),
        text(|e| &e.url),
        text(|e| &e.useragent),
        text(|e| &e.ip),
        flag(|e| e.sg_machine_open),
        flag(|e| e.tls),
        text(|e| &e.run),
        text(|e| &e.recipient),
        text(|e| &e.request),
        text(|e| &e.custom_args),
        text(|e| &e.extra),
        time(|e| e.received_at),
        text(|e| &e.verified_by),
        text(|e| &e.key_id),
        needed(|e| &e.event_key),
        needed(|e| &e.fingerprint),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).context("building a row group")
}
