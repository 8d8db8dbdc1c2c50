use std::io::Write as _;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{Float64Array, StringArray, StructArray, TimestampMicrosecondArray, TimestampNanosecondArray};
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use proptest::prelude::*;

use super::*;

const AT: i64 = 1_700_000_000_000_000;

/// As pandas would write it: a category as a dictionary, times in ns, columns of other kinds beside them.
fn written(zone: Option<&str>) -> Vec<u8> {
    let mut event = StringDictionaryBuilder::<Int32Type>::new();
    (0..50).for_each(|n| drop(event.append(if n % 2 == 0 { "open" } else { "click" })));
    let times = TimestampNanosecondArray::from_iter_values((0..50).map(|n| (AT + n) * 1_000));
    let reason = StringArray::from_iter((0..50).map(|n| (n > 0).then(|| format!("reason {n}"))));
    let inner = Arc::new(Field::new("x", DataType::Utf8, true));
    let person = StructArray::from(vec![(inner, Arc::new(reason.clone()) as ArrayRef)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("event", Arc::new(event.finish())),
        ("timestamp", Arc::new(times.with_timezone_opt(zone))),
        ("reason", Arc::new(reason)),
        ("person", Arc::new(person)),
        ("price", Arc::new(Float64Array::from_iter_values((0..50).map(f64::from)))),
        ("updated", Arc::new(TimestampMicrosecondArray::from_iter_values((0..50).map(i64::from)))),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, column)| column).collect());
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, None).unwrap();
    writer.write(&batch.unwrap()).unwrap();
    writer.close().unwrap();
    bytes
}

fn open(bytes: &[u8]) -> Result<Parquet, SourceError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Parquet::new(file)
}

/// Events with these reasons, packed by Zstandard.
fn packed(reasons: ArrayRef, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let rows = reasons.len();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("event", Arc::new(StringArray::from_iter_values((0..rows).map(|_| "open")))),
        (
            "timestamp",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values((0..).take(rows).map(|n| AT + n)).with_timezone("UTC"),
            ),
        ),
        ("reason", reasons),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, column)| column).collect());
    let properties = properties.set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
    writer.write(&batch.unwrap()).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn a_value_that_a_dictionary_repeats_is_in_memory_once() {
    const VALUE: usize = 1_500_000;
    let mut reasons = StringDictionaryBuilder::<Int32Type>::new();
    let value = "x".repeat(VALUE);
    (0..300).for_each(|_| drop(reasons.append(&value)));
    let properties = WriterProperties::builder().set_dictionary_page_size_limit(8 * VALUE);
    let bytes = packed(Arc::new(reasons.finish()), properties);
    assert!(bytes.len() < 20_000, "{} bytes for {} unpacked", bytes.len(), 300 * VALUE);
    let mut parquet = open(&bytes).unwrap();
    let mut rows = 0;
    while let Some(item) = parquet.next().unwrap() {
        let Item::Row(row) = item else { panic!("a row") };
        assert_eq!(row.reason.as_ref().map(String::len), Some(VALUE));
        assert!(row.size() > VALUE, "what waits to be written is counted");
        let (batch, _) = parquet.batch.as_ref().unwrap();
        assert!(batch.get_array_memory_size() < 8 * VALUE, "{} bytes", batch.get_array_memory_size());
        rows += 1;
    }
    assert_eq!(rows, 300);
}

#[test]
fn rows_whose_pages_unpack_to_much_are_read_few_at_once_or_refused() {
    let value = "x".repeat(10_000);
    let reasons = StringArray::from_iter_values((0..600).map(|_| value.as_str()));
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_write_batch_size(1)
        .set_data_page_row_count_limit(1);
    let bytes = packed(Arc::new(reasons), properties);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    let at_once = |budget| pages::rows_at_once(&file, metadata.metadata(), 2_000, budget);
    assert_eq!(at_once(pages::BUDGET).unwrap(), 2_000);
    assert_eq!(at_once(1_500_000).unwrap(), 125, "halved until it fits");
    assert_eq!(at_once(20_000).unwrap(), 1);
    assert!(at_once(5_000).unwrap_err().to_string().contains("memory"));
}

#[test]
fn tables_of_other_tools_are_read() {
    let mut parquet = open(&written(Some("UTC"))).unwrap();
    assert_eq!(parquet.rows(), 50);
    let mut rows = 0;
    while let Some(item) = parquet.next().unwrap() {
        let Item::Row(row) = item else { panic!("a row") };
        assert_eq!((row.timestamp, row.event.as_str()), (AT + rows, if rows % 2 == 0 { "open" } else { "click" }));
        assert_eq!(row.reason, (rows > 0).then(|| format!("reason {rows}")));
        rows += 1;
    }
    assert_eq!((rows, parquet.read()), (50, 50));
    assert_eq!(parquet.unknown().names().collect::<Vec<_>>(), ["person", "price", "updated"]);
    let refused = open(&written(None)).err().unwrap().to_string();
    assert!(refused.contains("column timestamp") && refused.contains("UTC"), "{refused}");
}

/// The library asserts what a file says of its parts' places; whoever imports it is told that the file is damaged.
#[test]
fn parts_in_no_place_are_damage() {
    let whole = written(Some("UTC"));
    let footer = whole.len() - 8 - u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize;
    let refused = (footer..whole.len())
        .filter_map(|place| {
            let mut bytes = whole.clone();
            // Negative, where it ends a number.
            bytes[place] |= 1;
            match open(&bytes) {
                Ok(mut parquet) => std::iter::from_fn(|| parquet.next().transpose()).find_map(Result::err),
                Err(error) => Some(error),
            }
        })
        .filter(|error| error.to_string().contains("not where it says"))
        .count();
    assert!(refused > 0);
}

proptest! {
    /// Damage ends in an error or in other rows, never in anything worse.
    #[test]
    fn a_damaged_file_is_refused_or_read(at in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..6), cut in 0.0_f64..1.3) {
        let mut bytes = written(Some("UTC"));
        for (share, byte) in at {
            let place = (bytes.len() as f64 * share) as usize;
            bytes[place] = byte;
        }
        bytes.truncate((bytes.len() as f64 * cut) as usize);
        if let Ok(mut parquet) = open(&bytes) {
            for _ in 0..200 {
                if !matches!(parquet.next(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
