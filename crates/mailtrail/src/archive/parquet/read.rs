//! Rows → events.

use std::fs::File;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use super::{Batches, FormError};
use crate::store::query::EventRecord;

/// Events read at once; memory is bounded by it.
const PAGE: usize = 5_000;

/// All events of a file, page after page. Their ids are 0: those are a trail's own.
pub struct Records {
    batches: Batches,
}

impl Records {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no Parquet file.
    pub fn open(file: File) -> Result<Self, FormError> {
        let batches = Batches::open(file, ArrowReaderOptions::new(), |builder| {
            Ok::<_, FormError>(builder.with_batch_size(PAGE))
        })?;
        Ok(Self { batches })
    }
}

impl Iterator for Records {
    type Item = Result<Vec<EventRecord>, FormError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.batches.next()?.and_then(|batch| records(&batch)))
    }
}

/// What tells an event, in the order of a trail's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Event time, µs since the epoch.
    pub timestamp: i64,
    /// Column `event_key`.
    pub event_key: [u8; 16],
}

impl Key {
    /// Of an event; `None` where its key is none.
    #[must_use]
    pub fn of(event: &EventRecord) -> Option<Self> {
        Some(Self { timestamp: event.timestamp, event_key: bytes(&event.event_key)? })
    }
}

/// The keys of a file's events alone, in their order: other columns are not read.
pub struct Keys {
    batches: Batches,
    page: std::vec::IntoIter<Key>,
}

impl Keys {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no Parquet file.
    pub fn open(file: File) -> Result<Self, FormError> {
        let batches = Batches::open(file, ArrowReaderOptions::new(), |builder| {
            let wanted = ProjectionMask::columns(builder.parquet_schema(), ["timestamp", "event_key"]);
            Ok::<_, FormError>(builder.with_batch_size(PAGE).with_projection(wanted))
        })?;
        Ok(Self { batches, page: Vec::new().into_iter() })
    }
}

impl Iterator for Keys {
    type Item = Result<Key, FormError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.page.next() {
                return Some(Ok(key));
            }
            match self.batches.next()?.and_then(|batch| keys(&batch)) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn keys(batch: &RecordBatch) -> Result<Vec<Key>, FormError> {
    let columns = Columns(batch);
    let (timestamp, event_key) = (columns.time("timestamp")?, columns.text("event_key")?);
    let key = |row| Some(Key { timestamp: timestamp.at(row)?, event_key: bytes(event_key.at(row)?)? });
    (0..batch.num_rows()).map(|row| key(row).ok_or(FormError::Column { column: "event_key" })).collect()
}

/// 16 bytes of hex.
fn bytes(hex: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if hex.len() != 32 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn records(batch: &RecordBatch) -> Result<Vec<EventRecord>, FormError> {
    let columns = Columns(batch);
    let names = [
        "sg_event_id",
        "email_hash",
        "email_domain",
        "email",
        "sg_message_id",
        "message_id",
        "smtp_id",
        "reason",
        "response",
        "status",
        "type",
        "bounce_classification",
        "url",
        "useragent",
        "ip",
        "run",
        "recipient",
        "request",
        "custom_args",
        "extra",
        "verified_by",
        "key_id",
    ];
    let mut texts = Vec::with_capacity(names.len());
    for name in names {
        texts.push(columns.text(name)?);
    }
    let (event, event_key, fingerprint) =
        (columns.text("event")?, columns.text("event_key")?, columns.text("fingerprint")?);
    let (timestamp, received_at) = (columns.time("timestamp")?, columns.time("received_at")?);
    let (attempt, asm_group_id) = (columns.number("attempt")?, columns.number("asm_group_id")?);
    let (machine, tls) = (columns.flag("sg_machine_open")?, columns.flag("tls")?);
    let category = columns.list("category")?;
    let needed = |column| move || FormError::Column { column };
    (0..batch.num_rows())
        .map(|row| {
            // In the order of `names`.
            let mut texts = texts.iter().map(|column| column.at(row).map(str::to_owned));
            let mut text = || texts.next().flatten();
            Ok(EventRecord {
                id: 0,
                sg_event_id: text(),
                email_hash: text(),
                email_domain: text(),
                email: text(),
                sg_message_id: text(),
                message_id: text(),
                smtp_id: text(),
                reason: text(),
                response: text(),
                status: text(),
                r#type: text(),
                bounce_classification: text(),
                url: text(),
                useragent: text(),
                ip: text(),
                run: text(),
                recipient: text(),
                request: text(),
                custom_args: text(),
                extra: text(),
                verified_by: text(),
                key_id: text(),
                event: event.at(row).ok_or_else(needed("event"))?.to_owned(),
                timestamp: timestamp.at(row).ok_or_else(needed("timestamp"))?,
                received_at: received_at.at(row).ok_or_else(needed("received_at"))?,
                category: category.at(row).ok_or_else(needed("category"))?,
                attempt: attempt.at(row),
                asm_group_id: asm_group_id.at(row),
                sg_machine_open: machine.at(row),
                tls: tls.at(row),
                event_key: event_key.at(row).ok_or_else(needed("event_key"))?.to_owned(),
                fingerprint: fingerprint.at(row).ok_or_else(needed("fingerprint"))?.to_owned(),
            })
        })
        .collect()
}

/// Columns by name, of the types that they must have.
struct Columns<'b>(&'b RecordBatch);

impl<'b> Columns<'b> {
    fn of<A>(
        &self,
        column: &'static str,
        take: impl Fn(&'b dyn arrow_array::Array) -> Option<A>,
    ) -> Result<A, FormError> {
        self.0.column_by_name(column).and_then(|array| take(array.as_ref())).ok_or(FormError::Column { column })
    }

    fn text(&self, column: &'static str) -> Result<Column<&'b StringArray>, FormError> {
        self.of(column, |array| array.as_string_opt::<i32>().map(Column))
    }

    fn number(&self, column: &'static str) -> Result<Column<&'b Int64Array>, FormError> {
        self.of(column, |array| array.as_primitive_opt::<Int64Type>().map(Column))
    }

    fn flag(&self, column: &'static str) -> Result<Column<&'b BooleanArray>, FormError> {
        self.of(column, |array| array.as_boolean_opt().map(Column))
    }

    fn time(&self, column: &'static str) -> Result<Column<&'b [i64]>, FormError> {
        // Never null: the schema says so, and events are told by it.
        let take = |array: &'b dyn arrow_array::Array| {
            let times = array.as_primitive_opt::<TimestampMicrosecondType>().filter(|times| times.null_count() == 0)?;
            Some(Column(&times.values()[..]))
        };
        self.of(column, take)
    }

    fn list(&self, column: &'static str) -> Result<Column<&'b ListArray>, FormError> {
        self.of(column, |array| array.as_list_opt::<i32>().map(Column))
    }
}

struct Column<A>(A);

impl<'b> Column<&'b StringArray> {
    fn at(&self, row: usize) -> Option<&'b str> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }
}

impl Column<&Int64Array> {
    fn at(&self, row: usize) -> Option<i64> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }
}

impl Column<&BooleanArray> {
    fn at(&self, row: usize) -> Option<bool> {
        (!self.0.is_null(row)).then(|| self.0.value(row))
    }
}

impl Column<&[i64]> {
    fn at(&self, row: usize) -> Option<i64> {
        self.0.get(row).copied()
    }
}

impl Column<&ListArray> {
    fn at(&self, row: usize) -> Option<Vec<String>> {
        if self.0.is_null(row) {
            return None;
        }
        let items = self.0.value(row);
        let items = items.as_string_opt::<i32>()?;
        Some(items.iter().flatten().map(str::to_owned).collect())
    }
}
