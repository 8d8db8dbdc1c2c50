//! Questions in GoogleSQL. Values are parameters, never part of the text.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::error::BigQueryError;
use super::rest::{Call, Rest};
use crate::config::BigQuery;

/// Rows of one page of an answer.
const PAGE: u32 = 10_000;
/// How long one call waits for an answer before it asks again.
const WAIT: Duration = Duration::from_secs(10);
/// How long a question may take in all.
const LONGEST: Duration = Duration::from_secs(600);

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    Text(String),
    Texts(Vec<String>),
    /// µs since the epoch.
    Timestamp(i64),
}

impl Parameter {
    fn to_json(&self, name: &str) -> Value {
        let (kind, value) = match self {
            Self::Text(text) => (json!({ "type": "STRING" }), json!({ "value": text })),
            Self::Texts(texts) => {
                let values: Vec<Value> = texts.iter().map(|text| json!({ "value": text })).collect();
                (json!({ "type": "ARRAY", "arrayType": { "type": "STRING" } }), json!({ "arrayValues": values }))
            }
            Self::Timestamp(micros) => (json!({ "type": "TIMESTAMP" }), json!({ "value": time(*micros) })),
        };
        json!({ "name": name, "parameterType": kind, "parameterValue": value })
    }
}

fn time(micros: i64) -> String {
    // What lies outside of what jiff knows lies outside of what BigQuery knows, too.
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// A statement and its values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<(&'static str, Parameter)>,
}

impl Query {
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), parameters: Vec::new() }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: Parameter) -> Self {
        self.parameters.push((name, value));
        self
    }
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Names and types of the columns.
    pub(crate) columns: Vec<(String, String)>,
    /// A value a column: text, null, or for lists an array of `{"v": …}`.
    pub(crate) rows: Vec<Vec<Value>>,
    /// What was read for it.
    pub(crate) bytes_processed: u64,
    /// What is paid for it.
    pub(crate) bytes_billed: u64,
    /// Rows that a statement changed.
    pub(crate) changed: u64,
}

/// Where questions are asked.
#[derive(Clone)]
pub(crate) struct Jobs {
    rest: Rest,
    project: String,
    location: Option<String>,
    max_bytes_billed: u64,
}

impl Jobs {
    pub(crate) fn new(config: &BigQuery, rest: Rest) -> Self {
        Self {
            rest,
            project: config.project.to_string(),
            location: config.location.as_ref().map(ToString::to_string),
            max_bytes_billed: config.max_bytes_billed,
        }
    }

    /// What a question would read, in bytes; costs nothing.
    pub(crate) async fn dry_run(&self, query: &Query) -> Result<u64, BigQueryError> {
        let answer = self.start(query, true).await?;
        Ok(number(&answer, "totalBytesProcessed"))
    }

    /// Asks, and waits for all of the answer.
    pub(crate) async fn ask(&self, query: &Query) -> Result<Rows, BigQueryError> {
        let mut answer = self.start(query, false).await?;
        let mut rows = Rows::default();
        let begun = tokio::time::Instant::now();
        loop {
            let complete = answer.get("jobComplete").and_then(Value::as_bool).unwrap_or(false);
            if complete {
                take(&mut rows, &answer);
            } else if begun.elapsed() > LONGEST {
                let why = format!("no answer within {} minutes", LONGEST.as_secs() / 60);
                return Err(BigQueryError::Answer { doing: DOING.to_owned(), why });
            }
            let token = answer.get("pageToken").and_then(Value::as_str).filter(|token| !token.is_empty());
            if complete && token.is_none() {
                return Ok(rows);
            }
            answer = self.go_on(&answer, token).await?;
        }
    }

    async fn start(&self, query: &Query, dry_run: bool) -> Result<Value, BigQueryError> {
        let parameters: Vec<Value> = query.parameters.iter().map(|(name, value)| value.to_json(name)).collect();
        let mut body = json!({
            "query": query.sql,
            "useLegacySql": false,
            "parameterMode": "NAMED",
            "queryParameters": parameters,
            "maxResults": PAGE,
            "timeoutMs": WAIT.as_millis() as u64,
            "maximumBytesBilled": self.max_bytes_billed.to_string(),
            "formatOptions": { "useInt64Timestamp": true },
            "dryRun": dry_run,
            // A repeated call with the same id is not a second question.
            "requestId": crate::run::RequestId::random().map(|id| id.to_string()).unwrap_or_default(),
            "labels": { "mailtrail": "query" },
        });
        if let (Some(location), Some(body)) = (&self.location, body.as_object_mut()) {
            body.insert("location".to_owned(), json!(location));
        }
        let path = format!("projects/{}/queries", self.project);
        self.call(Method::POST, path, Some(body)).await
    }

    async fn go_on(&self, answer: &Value, token: Option<&str>) -> Result<Value, BigQueryError> {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str);
        let Some(job) = text("/jobReference/jobId") else {
            return Err(BigQueryError::Answer { doing: DOING.to_owned(), why: "it names no job".to_owned() });
        };
        let mut path = format!(
            "projects/{}/queries/{}?maxResults={PAGE}&timeoutMs={}&formatOptions.useInt64Timestamp=true",
            self.project,
            escaped(job),
            WAIT.as_millis()
        );
        if let Some(location) = text("/jobReference/location") {
            path.push_str(&format!("&location={}", escaped(location)));
        }
        if let Some(token) = token {
            path.push_str(&format!("&pageToken={}", escaped(token)));
        }
        self.call(Method::GET, path, None).await
    }

    async fn call(&self, method: Method, path: String, body: Option<Value>) -> Result<Value, BigQueryError> {
        let call = Call { method, path, body, doing: DOING, permission: "bigquery.jobs.create" };
        let answer = self.rest.call(&call).await?;
        // Errors of a statement may come with a good status.
        let Some(error) = answer.pointer("/errors/0").filter(|_| answer.get("rows").is_none()) else {
            return Ok(answer);
        };
        let text = |key| error.get(key).and_then(Value::as_str).unwrap_or("unknown").to_owned();
        Err(BigQueryError::Refused {
            doing: DOING.to_owned(),
            reason: text("reason"),
            message: text("message"),
            permission: call.permission,
        })
    }
}

const DOING: &str = "answer a query";

fn take(rows: &mut Rows, answer: &Value) {
    let list = |pointer| answer.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    if rows.columns.is_empty() {
        let text = |field: &Value, key| field.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        rows.columns = list("/schema/fields").map(|field| (text(field, "name"), text(field, "type"))).collect();
        rows.bytes_processed = number(answer, "totalBytesProcessed");
        rows.bytes_billed = number(answer, "totalBytesBilled");
    }
    rows.changed += number(answer, "numDmlAffectedRows");
    for row in list("/rows") {
        let cells = row.get("f").and_then(Value::as_array).into_iter().flatten();
        rows.rows.push(cells.map(|cell| cell.get("v").cloned().unwrap_or(Value::Null)).collect());
    }
}

/// Numbers come as text.
fn number(answer: &Value, key: &str) -> u64 {
    match answer.get(key) {
        Some(Value::String(digits)) => digits.parse().unwrap_or(0),
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        _ => 0,
    }
}

/// Percent-encodes what does not stand for itself in a query or a segment of a path (RFC 3986, unreserved).
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_as_parameters() {
        let list = Parameter::Texts(vec!["a'); DROP".to_owned()]).to_json("x");
        assert_eq!(list["parameterValue"]["arrayValues"][0]["value"], "a'); DROP");
        let time = Parameter::Timestamp(1_700_000_000_123_456).to_json("t");
        assert_eq!(time["parameterValue"]["value"], "2023-11-14T22:13:20.123456Z");
        assert_eq!(escaped("a/b c=:日"), "a%2Fb%20c%3D%3A%E6%97%A5");
    }
}
