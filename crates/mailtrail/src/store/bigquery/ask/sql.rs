//! People's own queries: looked at first, one SELECT only, and priced.

use std::ops::ControlFlow;

use http::Method;
use serde_json::{Value as Json, json};

use super::Asker;
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::query::Query;
use crate::store::bigquery::rest::Call;

/// Rows fetched at once.
const PAGE: u32 = 5_000;

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// True or false.
    Bool(bool),
    /// A timestamp, µs since the epoch.
    Time(i64),
    /// Text, and whatever BigQuery writes as text.
    Text(String),
    /// JSON, lists and structs.
    Json(String),
}

/// Takes the names of the columns and one row; may end the answer.
pub type EachRow<'a> = &'a mut dyn FnMut(&[String], Vec<SqlValue>) -> ControlFlow<()>;

impl Asker {
    /// What a query would read, in bytes; costs nothing.
    ///
    /// # Errors
    /// When it is no single SELECT, would read more than is allowed, or BigQuery cannot be asked.
    pub fn price(&self, query: &str) -> Result<u64, BigQueryError> {
        let dataset = &self.dataset;
        let body = json!({ "configuration": { "dryRun": true, "query": {
            "query": query, "useLegacySql": false, "defaultDataset": dataset.jobs.default_dataset(),
        } } });
        let call = Call {
            method: Method::POST,
            path: format!("projects/{}/jobs", dataset.names.project()),
            body: Some(body),
            doing: "look at a query",
            permission: "bigquery.jobs.create",
        };
        let job = self.blocking.wait(dataset.rest.call(&call))?;
        let text = |pointer| job.pointer(pointer).and_then(Json::as_str);
        if let Some(message) = text("/status/errorResult/message") {
            return Err(BigQueryError::Unfit(format!("BigQuery refused the query: {message}")));
        }
        match text("/statistics/query/statementType") {
            Some("SELECT") => {}
            other => {
                let kind = other.unwrap_or("something unknown");
                return Err(BigQueryError::Unfit(format!("one SELECT is taken here, and this is {kind}")));
            }
        }
        let bytes = text("/statistics/query/totalBytesProcessed").or_else(|| text("/statistics/totalBytesProcessed"));
        let bytes = bytes.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let limit = dataset.config.max_bytes_billed;
        if bytes > limit { Err(BigQueryError::TooExpensive { bytes, limit }) } else { Ok(bytes) }
    }

    /// Asks a query that was [priced](Self::price), row by row; hands back the names of the columns.
    ///
    /// # Errors
    /// When BigQuery refuses it or cannot be asked.
    pub fn sql(&self, query: &str, each: EachRow<'_>) -> Result<Vec<String>, BigQueryError> {
        let jobs = &self.dataset.jobs;
        let mut page = self.blocking.wait(jobs.first(&Query::new(query), PAGE))?;
        let fields = std::mem::take(&mut page.rows.fields);
        let name = |field: &Json| field.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
        let columns: Vec<String> = fields.iter().map(name).collect();
        loop {
            for row in &page.rows.rows {
                let values = fields.iter().zip(row).map(|(field, cell)| value(field, cell)).collect();
                if each(&columns, values).is_break() {
                    return Ok(columns);
                }
            }
            match self.blocking.wait(jobs.next(&page, PAGE))? {
                Some(next) => page = next,
                None => return Ok(columns),
            }
        }
    }
}

/// A cell of an answer.
pub(in crate::store::bigquery) fn value(field: &Json, cell: &Json) -> SqlValue {
    let kind = field.get("type").and_then(Json::as_str).unwrap_or_default();
    let is_list = field.get("mode").and_then(Json::as_str) == Some("REPEATED");
    let text = match cell {
        Json::Null => return SqlValue::Null,
        Json::String(text) if !is_list => text,
        nested => return SqlValue::Json(plain(field, nested).to_string()),
    };
    let known = match kind {
        "INTEGER" | "INT64" => text.parse().ok().map(SqlValue::Integer),
        "FLOAT" | "FLOAT64" => text.parse().ok().map(SqlValue::Real),
        "BOOLEAN" | "BOOL" => text.parse().ok().map(SqlValue::Bool),
        "TIMESTAMP" => text.parse().ok().map(SqlValue::Time),
        "JSON" => Some(SqlValue::Json(text.clone())),
        _ => None,
    };
    known.unwrap_or_else(|| SqlValue::Text(text.clone()))
}

/// Lists and structs without BigQuery's wrapping of each value.
fn plain(field: &Json, cell: &Json) -> Json {
    let is_list = field.get("mode").and_then(Json::as_str) == Some("REPEATED");
    if let (true, Json::Array(items)) = (is_list, cell) {
        let mut one = field.clone();
        if let Some(one) = one.as_object_mut() {
            one.remove("mode");
        }
        return items.iter().map(|item| plain(&one, item.get("v").unwrap_or(&Json::Null))).collect();
    }
    if let (Some(fields), Some(cells)) = (field.get("fields"), cell.get("f").and_then(Json::as_array)) {
        let fields = fields.as_array().into_iter().flatten();
        let named = fields.zip(cells).filter_map(|(field, cell)| {
            let name = field.get("name").and_then(Json::as_str)?.to_owned();
            Some((name, plain(field, cell.get("v").unwrap_or(&Json::Null))))
        });
        return Json::Object(named.collect());
    }
    match value(field, cell) {
        SqlValue::Integer(number) => number.into(),
        SqlValue::Real(number) => number.into(),
        SqlValue::Bool(flag) => flag.into(),
        SqlValue::Json(text) => serde_json::from_str(&text).unwrap_or(Json::Null),
        _ => cell.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_types_and_nested_ones_are_json() {
        let field = |kind: &str| json!({ "name": "x", "type": kind });
        let cases = [
            (field("INTEGER"), json!("7"), SqlValue::Integer(7)),
            (field("FLOAT"), json!("1.5"), SqlValue::Real(1.5)),
            (field("BOOLEAN"), json!("true"), SqlValue::Bool(true)),
            (field("TIMESTAMP"), json!("1790000000000000"), SqlValue::Time(1_790_000_000_000_000)),
            (field("DATE"), json!("2026-01-01"), SqlValue::Text("2026-01-01".to_owned())),
            (field("NUMERIC"), json!("1.10"), SqlValue::Text("1.10".to_owned())),
            (field("JSON"), json!("{\"a\":1}"), SqlValue::Json("{\"a\":1}".to_owned())),
            (field("STRING"), Json::Null, SqlValue::Null),
            (
                json!({ "name": "x", "type": "INTEGER", "mode": "REPEATED" }),
                json!([{ "v": "1" }, { "v": "2" }]),
                SqlValue::Json("[1,2]".to_owned()),
            ),
            (
                json!({ "name": "x", "type": "RECORD", "mode": "REPEATED", "fields": [field("STRING")] }),
                json!([{ "v": { "f": [{ "v": "a" }] } }]),
                SqlValue::Json("[{\"x\":\"a\"}]".to_owned()),
            ),
        ];
        for (field, cell, expected) in cases {
            assert_eq!(value(&field, &cell), expected, "{field}");
        }
    }
}
