//! A table of BigQuery's, with mailtrail's columns or some of them.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::cell::Cell;
use super::row::{self, Unknown};
use super::source::{Item, Source, SourceError};
use crate::store::bigquery::{SqlValue, TableRows};

pub(super) struct Table {
    rows: TableRows,
    columns: Vec<String>,
    ready: VecDeque<Vec<SqlValue>>,
    read: u64,
    unknown: Unknown,
}

impl Table {
    pub(super) fn new(rows: TableRows) -> Result<Self, SourceError> {
        let columns = rows.columns().to_vec();
        for needed in ["event", "timestamp"] {
            if !columns.iter().any(|name| name.eq_ignore_ascii_case(needed)) {
                return Err(SourceError::Form(format!("it has no column {needed:?}, which every event has")));
            }
        }
        Ok(Self { rows, columns, ready: VecDeque::new(), read: 0, unknown: Unknown::default() })
    }
}

impl Source for Table {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        while self.ready.is_empty() {
            match self.rows.page()? {
                Some(page) => self.ready = page.into(),
                None => return Ok(None),
            }
        }
        let Some(values) = self.ready.pop_front() else { return Ok(None) };
        self.read += 1;
        let cells = self.columns.iter().zip(&values).map(|(name, value)| (name.as_str(), cell(value)));
        Ok(Some(match row::of_cells(cells, &mut self.unknown) {
            Ok(event) => Item::Row(Box::new(event)),
            Err(fault) => {
                let members = self.columns.iter().cloned().zip(values.iter().map(json)).collect();
                Item::Unread { bytes: serde_json::Value::Object(members).to_string().into_bytes(), why: fault.as_str() }
            }
        }))
    }

    fn read(&self) -> u64 {
        self.read
    }

    fn unknown(&self) -> &Unknown {
        &self.unknown
    }
}

fn cell(value: &SqlValue) -> Cell<'_> {
    match value {
        SqlValue::Null => Cell::Null,
        SqlValue::Integer(number) => Cell::Number(Cow::Owned(number.to_string())),
        SqlValue::Real(number) => Cell::Number(Cow::Owned(number.to_string())),
        SqlValue::Bool(flag) => Cell::Bool(*flag),
        SqlValue::Time(micros) => Cell::Time(*micros),
        // Lists are JSON here, and a column of lists reads them.
        SqlValue::Text(text) | SqlValue::Json(text) => Cell::Text(Cow::Borrowed(text)),
    }
}

fn json(value: &SqlValue) -> serde_json::Value {
    match value {
        SqlValue::Null => serde_json::Value::Null,
        SqlValue::Integer(number) | SqlValue::Time(number) => (*number).into(),
        SqlValue::Real(number) => (*number).into(),
        SqlValue::Bool(flag) => (*flag).into(),
        SqlValue::Text(text) | SqlValue::Json(text) => text.as_str().into(),
    }
}
