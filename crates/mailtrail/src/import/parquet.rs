//! Parquet, as `export` and BigQuery write it.

mod pages;

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use super::cell::Cell;
use super::row::{self, Unknown};
use super::source::{Item, Source, SourceError};
use crate::archive::parquet::{Batches, FormError};

/// Rows that are taken apart at once.
const ROWS: usize = 2_000;

pub(super) struct Parquet {
    batches: Batches,
    /// The batch that is being taken apart, and its next row. Row by row, because a value of a dictionary may stand in all of them.
    batch: Option<(RecordBatch, usize)>,
    read: u64,
    total: u64,
    unknown: Unknown,
}

impl Parquet {
    pub(super) fn new(file: File) -> Result<Self, SourceError> {
        // What a writer noted of its own types (dictionaries, large texts) is no business of ours.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let options = views(&file, options)?;
        let mut total = 0;
        let mut unknown = Unknown::default();
        let own = file.try_clone()?;
        let batches = Batches::open(file, options, |builder| {
            total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
            fits(builder.schema(), &mut unknown)?;
            let rows = pages::rows_at_once(&own, builder.metadata(), ROWS, pages::BUDGET)?;
            Ok::<_, SourceError>(builder.with_batch_size(rows))
        })?;
        Ok(Self { batches, batch: None, read: 0, total, unknown })
    }

    /// How many rows it has in all.
    pub(super) fn rows(&self) -> u64 {
        self.total
    }
}

impl Source for Parquet {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        loop {
            if let Some((batch, at)) = &mut self.batch
                && *at < batch.num_rows()
            {
                let item = item(batch, *at, &mut self.unknown);
                *at += 1;
                self.read += 1;
                return Ok(Some(item));
            }
            self.batch = None;
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let batch = batch.map_err(|error| {
                SourceError::Form(format!("behind row {} it cannot be read on: {error}", self.read))
            })?;
            self.batch = Some((batch, 0));
        }
    }

    fn read(&self) -> u64 {
        self.read
    }

    fn unknown(&self) -> &Unknown {
        &self.unknown
    }
}

/// Texts are read as views: a value of a dictionary, which a few bytes repeat in every row, is in memory once.
fn views(file: &File, options: ArrowReaderOptions) -> Result<ArrowReaderOptions, SourceError> {
    let schema = Batches::schema(file.try_clone()?, options.clone())?;
    let view = |kind: &DataType| match kind {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        kind => kind.clone(),
    };
    let fields = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::List(item) => {
                DataType::List(Arc::new(item.as_ref().clone().with_data_type(view(item.data_type()))))
            }
            kind => view(kind),
        };
        field.as_ref().clone().with_data_type(kind)
    });
    Ok(options.with_schema(Arc::new(Schema::new(fields.collect::<Vec<_>>()))))
}

/// Whether events can be read from such columns; notes those that are none of an event's.
fn fits(schema: &Schema, unknown: &mut Unknown) -> Result<(), SourceError> {
    for field in schema.fields() {
        let (name, kind) = (field.name(), field.data_type());
        if is_readable(kind) {
            continue;
        }
        if row::is_column(name) {
            let hint = if matches!(kind, DataType::Timestamp(_, None)) {
                ": it says of no time zone; write it as UTC (isAdjustedToUTC)"
            } else {
                ""
            };
            return Err(SourceError::Form(format!("column {name} is of type {kind}, which is not read here{hint}")));
        }
        unknown.note(name);
    }
    for needed in ["event", "timestamp"] {
        if !schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(needed)) {
            return Err(SourceError::Form(format!("it has no column {needed:?}, which every event has")));
        }
    }
    Ok(())
}

fn item(batch: &RecordBatch, at: usize, unknown: &mut Unknown) -> Item {
    let schema = batch.schema_ref();
    let cells = schema.fields().iter().zip(batch.columns());
    match row::of_cells(cells.map(|(field, column)| (field.name().as_str(), cell(column, at))), unknown) {
        Ok(event) => Item::Row(Box::new(event)),
        Err(fault) => {
            // What is sealed is the row as JSON: a Parquet file has no rows to cut out.
            let mut members = serde_json::Map::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                members.insert(field.name().clone(), json(cell(column, at)));
            }
            Item::Unread { bytes: serde_json::Value::Object(members).to_string().into_bytes(), why: fault.as_str() }
        }
    }
}

impl From<FormError> for SourceError {
    fn from(error: FormError) -> Self {
        Self::Form(format!("it is no Parquet that can be read: {error}"))
    }
}

fn json(cell: Cell<'_>) -> serde_json::Value {
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Text(text) | Cell::Number(text) => text.into(),
        Cell::Bool(flag) => flag.into(),
        Cell::Time(micros) => micros.into(),
        Cell::List(items) => items.into(),
    }
}

fn is_readable(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) => {
            matches!(item.data_type(), DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8)
        }
        DataType::Utf8View
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Boolean
        | DataType::Int64
        | DataType::Int32
        | DataType::Float64
        | DataType::Timestamp(_, Some(_))
        | DataType::Null => true,
        _ => false,
    }
}

fn cell(column: &ArrayRef, at: usize) -> Cell<'_> {
    if column.is_null(at) {
        return Cell::Null;
    }
    let number = |number: i64| Cell::Number(Cow::Owned(number.to_string()));
    let scaled = |value: i64, factor: i64| value.checked_mul(factor).map_or(Cell::Null, Cell::Time);
    match column.data_type() {
        DataType::Utf8View => Cell::Text(column.as_string_view().value(at).into()),
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(at).into()),
        DataType::LargeUtf8 => Cell::Text(column.as_string::<i64>().value(at).into()),
        DataType::Boolean => Cell::Bool(column.as_boolean().value(at)),
        DataType::Int64 => number(column.as_primitive::<Int64Type>().value(at)),
        DataType::Int32 => number(column.as_primitive::<Int32Type>().value(at).into()),
        DataType::Float64 => Cell::Number(Cow::Owned(column.as_primitive::<Float64Type>().value(at).to_string())),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => scaled(column.as_primitive::<TimestampSecondType>().value(at), 1_000_000),
            TimeUnit::Millisecond => scaled(column.as_primitive::<TimestampMillisecondType>().value(at), 1_000),
            TimeUnit::Microsecond => Cell::Time(column.as_primitive::<TimestampMicrosecondType>().value(at)),
            TimeUnit::Nanosecond => {
                Cell::Time(column.as_primitive::<TimestampNanosecondType>().value(at).div_euclid(1_000))
            }
        },
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(at);
            let texts: Vec<String> = match items.data_type() {
                DataType::Utf8View => items.as_string_view().iter().flatten().map(str::to_owned).collect(),
                DataType::Utf8 => items.as_string::<i32>().iter().flatten().map(str::to_owned).collect(),
                DataType::LargeUtf8 => items.as_string::<i64>().iter().flatten().map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            Cell::List(texts)
        }
        _ => Cell::Null,
    }
}

#[cfg(test)]
mod tests;
