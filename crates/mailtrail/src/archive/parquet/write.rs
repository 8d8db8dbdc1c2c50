//! Events → rows.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::FormError;
use super::schema::schema;
use crate::store::query::EventRecord;

/// Most events in a row group.
const ROW_GROUP: usize = 100_000;
/// About as many bytes of one are kept in memory before it is written, however long the texts are.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// How the pages are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Quick to write and read by everything: Snappy.
    ForExchange,
    /// Small, for what is kept and seldom read: Zstandard.
    ForKeeping,
}

/// Writes events to a file.
pub struct Writer<W: Write + Send> {
    inner: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(out: W, form: Form) -> Result<Self, FormError> {
        let schema = schema();
        let compression = match form {
            Form::ForExchange => Compression::SNAPPY,
            Form::ForKeeping => Compression::ZSTD(ZstdLevel::default()),
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .build();
        let inner = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?;
        Ok(Self { inner, schema })
    }

    /// Adds events; their ids are the trail's own and stay out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, events: &[EventRecord]) -> Result<(), FormError> {
        self.inner.write(&batch(events, &self.schema)?)?;
        if self.inner.memory_size() > ROW_GROUP_BYTES {
            self.inner.flush()?;
        }
        Ok(())
    }

    /// Ends the file, and hands back what it was written to.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> Result<W, FormError> {
        Ok(self.inner.into_inner()?)
    }
}

fn batch(events: &[EventRecord], schema: &SchemaRef) -> Result<RecordBatch, FormError> {
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
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
