//! One JSON object a line; null is kept, lists are lists, JSON is JSON. What would steer a terminal is written as escapes
//! of JSON, so that it reads back as it was.

use std::io::{self, Write};

use sendgrid_events::value::write_string;

use super::{Cell, time};
use crate::visible::in_json;

/// A row as one object, and the end of its line.
///
/// # Errors
/// When it cannot be written.
pub fn line(out: &mut impl Write, columns: &[String], cells: &[Cell]) -> io::Result<()> {
    let mut line = String::with_capacity(512);
    for (index, (column, cell)) in columns.iter().zip(cells).enumerate() {
        line.push(if index == 0 { '{' } else { ',' });
        write_string(column, &mut line);
        line.push(':');
        value(cell, &mut line);
    }
    line.push_str("}\n");
    out.write_all(in_json(&line).as_bytes())
}

fn value(cell: &Cell, line: &mut String) {
    match cell {
        Cell::Null => line.push_str("null"),
        Cell::Text(text) => write_string(text, line),
        Cell::Integer(number) => line.push_str(&number.to_string()),
        // JSON has no infinity.
        Cell::Real(number) if !number.is_finite() => line.push_str("null"),
        Cell::Real(number) => line.push_str(&number.to_string()),
        Cell::Bool(yes) => line.push_str(if *yes { "true" } else { "false" }),
        Cell::Time(micros) => write_string(&time::rfc3339(*micros), line),
        Cell::List(items) => {
            line.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                write_string(item, line);
            }
            line.push(']');
        }
        // Written by `protect`; what is no JSON all the same must not break the line.
        Cell::Json(json) => match serde_json::from_str::<&serde_json::value::RawValue>(json) {
            Ok(raw) if !raw.get().contains('\n') => line.push_str(raw.get()),
            _ => write_string(json, line),
        },
    }
}
