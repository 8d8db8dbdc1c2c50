//! The forms of an export say the same.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{rows, run, told};
use crate::support::{Site, batch, event};

/// A value as JSON would have it; JSON columns are text in Parquet.
fn value(column: &ArrayRef, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => json!(column.as_string::<i32>().value(at)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(at)),
        DataType::Boolean => json!(column.as_boolean().value(at)),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(at);
            json!(jiff::Timestamp::from_microsecond(micros).unwrap().to_string())
        }
        DataType::List(item) if item.data_type() == &DataType::Utf8 => {
            let items = column.as_list::<i32>().value(at);
            json!(items.as_string::<i32>().iter().collect::<Vec<_>>())
        }
        other => panic!("a column of type {other}"),
    }
}

fn parquet_rows(site: &Site) -> Vec<Value> {
    let path = site.path().join("all.parquet");
    let (code, _, err) = run(site, &["export", "--format", "parquet", "--out", path.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let mut rows = Vec::new();
    for batch in &batches {
        for at in 0..batch.num_rows() {
            let schema = batch.schema();
            let cells = schema.fields().iter().zip(batch.columns());
            rows.push(Value::Object(cells.map(|(field, column)| (field.name().clone(), value(column, at))).collect()));
        }
    }
    rows
}

#[test]
fn parquet_and_csv_say_what_json_says() {
    let (site, server, now) = told();
    let args = "\"order\":\"12\",\"attempt\":\"3\",\"tls\":1,\"sg_machine_open\":false,\"asm_group_id\":7,\"event\"";
    let rich = event("rich", "alice@example.com", "deferred", now + 9).replacen("\"event\"", args, 1);
    assert_eq!(server.post(&site, &batch(&[rich])).0, 200);
    server.wait_drained();
    let (_, out, _) = run(&site, &["export", "--out", "-"]);
    let of_json: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(of_json.len(), 8);
    assert!(of_json.is_sorted_by_key(|row| row["timestamp"].as_str().unwrap().to_owned()), "in the order of time");
    let rich = of_json.iter().find(|row| row["sg_event_id"] == "rich").unwrap();
    assert_eq!(rich["attempt"], 3);
    assert_eq!(rich["tls"], true);
    assert_eq!(rich["custom_args"]["order"], "12");

    let of_parquet = parquet_rows(&site);
    assert_eq!(of_parquet.len(), of_json.len());
    for (parquet, json) in of_parquet.iter().zip(&of_json) {
        let parquet = parquet.as_object().unwrap();
        assert_eq!(parquet.len(), json.as_object().unwrap().len() - 2, "all columns but id and mail_status");
        for (name, value) in parquet {
            match &json[name] {
                Value::Object(object) => {
                    let read: Value = serde_json::from_str(value.as_str().unwrap()).unwrap();
                    assert_eq!(&read, &Value::Object(object.clone()), "{name}");
                }
                expected => assert_eq!(value, expected, "{name}"),
            }
        }
    }

    let (_, out, _) = run(&site, &["export", "--out", "-", "--format", "csv", "--raw-csv"]);
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let names = reader.headers().unwrap().clone();
    let of_csv: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(of_csv.len(), of_json.len());
    for (row, json) in of_csv.iter().zip(&of_json) {
        for (name, cell) in names.iter().zip(row) {
            match &json[name] {
                Value::Null => assert_eq!(cell, "", "{name}"),
                Value::String(text) => assert_eq!(cell, text, "{name}"),
                other => assert_eq!(&serde_json::from_str::<Value>(cell).unwrap(), other, "{name}"),
            }
        }
    }
}

#[test]
fn an_export_of_nothing_is_whole_too() {
    let (site, _server, _) = told();
    let path = site.path().join("none.parquet");
    let none = ["export", "--format", "parquet", "--category", "nobody", "--out", path.to_str().unwrap()];
    let (code, _, err) = run(&site, &none);
    assert_eq!(code, 0, "{err}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.schema().fields().len(), 32);
    let (_, out, _) = run(&site, &["export", "--format", "csv", "--category", "nobody", "--out", "-"]);
    assert_eq!(out.lines().count(), 1, "the heading");
    assert!(rows(&site, &["activity", "--category", "nobody"]).is_empty());
}
