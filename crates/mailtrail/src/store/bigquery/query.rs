//! Questions in GoogleSQL. Values are parameters, never part of the text.

mod parameter;

pub(crate) use parameter::{Parameter, Query};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The columns: `name`, `type`, `mode`, and `fields` of structs.
    pub(crate) fields: Vec<Value>,
    /// A value a column: text, null, or for lists an array of `{"v": …}`.
    pub(crate) rows: Vec<Vec<Value>>,
    /// What was read for it.
    pub(crate) bytes_processed: u64,
    /// What is paid for it.
    pub(crate) bytes_billed: u64,
    /// Rows that a statement changed.
    pub(crate) changed: u64,
}

/// A part of an answer, and where the rest is.
pub(crate) struct Page {
    job: Job,
    token: Option<String>,
    pub(crate) rows: Rows,
}

impl Page {
    /// Whether there is another one behind it.
    pub(crate) fn has_more(&self) -> bool {
        self.token.is_some()
    }
}

/// Who works on an answer. Where it is complete at once, there may be none.
struct Job {
    id: Option<String>,
    location: Option<String>,
}

impl Job {
    fn of(answer: &Value) -> Self {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self { id: text("/jobReference/jobId"), location: text("/jobReference/location") }
    }
}

/// What all statements of a [`Jobs`] and its clones came to.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) statements: AtomicU64,
    pub(crate) bytes_processed: AtomicU64,
    pub(crate) bytes_billed: AtomicU64,
}

/// Where questions are asked.
#[derive(Clone)]
pub(crate) struct Jobs {
    rest: Rest,
    project: String,
    dataset: String,
    location: Option<String>,
    max_bytes_billed: u64,
    spent: Arc<Spent>,
}

impl Jobs {
    pub(crate) fn new(config: &BigQuery, rest: Rest) -> Self {
        Self {
            rest,
            project: config.project.to_string(),
            dataset: config.dataset.to_string(),
            location: config.location.as_ref().map(ToString::to_string),
            max_bytes_billed: config.max_bytes_billed,
            spent: Arc::default(),
        }
    }

    /// What was paid for so far.
    pub(crate) fn spent(&self) -> &Spent {
        &self.spent
    }

    /// Where tables are looked for that are named without a dataset.
    pub(crate) fn default_dataset(&self) -> Value {
        json!({ "projectId": self.project, "datasetId": self.dataset })
    }

    /// What a question would read, in bytes; costs nothing.
    pub(crate) async fn dry_run(&self, query: &Query) -> Result<u64, BigQueryError> {
        let answer = self.start(query, true, PAGE).await?;
        Ok(number(&answer, "totalBytesProcessed"))
    }

    /// Asks, and waits for all of the answer.
    pub(crate) async fn ask(&self, query: &Query) -> Result<Rows, BigQueryError> {
        let mut page = self.first(query, PAGE).await?;
        let mut rows = std::mem::take(&mut page.rows);
        while let Some(mut next) = self.next(&page, PAGE).await? {
            rows.rows.append(&mut next.rows.rows);
            page = next;
        }
        Ok(rows)
    }

    /// Asks, and waits for the first `size` rows of the answer.
    pub(crate) async fn first(&self, query: &Query, size: u32) -> Result<Page, BigQueryError> {
        let page = self.complete(self.start(query, false, size).await?, size).await?;
        self.spent.statements.fetch_add(1, Ordering::Relaxed);
        self.spent.bytes_processed.fetch_add(page.rows.bytes_processed, Ordering::Relaxed);
        self.spent.bytes_billed.fetch_add(page.rows.bytes_billed, Ordering::Relaxed);
        Ok(page)
    }

    /// The page behind another one; `None` behind the last.
    pub(crate) async fn next(&self, last: &Page, size: u32) -> Result<Option<Page>, BigQueryError> {
        let Some(token) = &last.token else { return Ok(None) };
        let answer = self.go_on(&last.job, Some(token), size).await?;
        Ok(Some(self.complete(answer, size).await?))
    }

    async fn complete(&self, mut answer: Value, size: u32) -> Result<Page, BigQueryError> {
        let begun = tokio::time::Instant::now();
        loop {
            let job = Job::of(&answer);
            if answer.get("jobComplete").and_then(Value::as_bool).unwrap_or(false) {
                let token = answer.get("pageToken").and_then(Value::as_str).filter(|token| !token.is_empty());
                return Ok(Page { job, token: token.map(str::to_owned), rows: rows(&answer) });
            }
            if begun.elapsed() > LONGEST {
                let why = format!("no answer within {} minutes", LONGEST.as_secs() / 60);
                return Err(BigQueryError::Answer { doing: DOING.to_owned(), why });
            }
            answer = self.go_on(&job, None, size).await?;
        }
    }

    async fn start(&self, query: &Query, dry_run: bool, size: u32) -> Result<Value, BigQueryError> {
        let parameters: Vec<Value> = query.parameters.iter().map(|(name, value)| value.to_json(name)).collect();
        let mut body = json!({
            "query": query.sql,
            "useLegacySql": false,
            "parameterMode": "NAMED",
            "queryParameters": parameters,
            "maxResults": size,
            "timeoutMs": WAIT.as_millis() as u64,
            "maximumBytesBilled": self.max_bytes_billed.to_string(),
            "formatOptions": { "useInt64Timestamp": true },
            "dryRun": dry_run,
            "useQueryCache": !query.fresh,
            "defaultDataset": self.default_dataset(),
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

    async fn go_on(&self, job: &Job, token: Option<&str>, size: u32) -> Result<Value, BigQueryError> {
        let Some(id) = &job.id else {
            return Err(BigQueryError::Answer { doing: DOING.to_owned(), why: "it names no job".to_owned() });
        };
        let mut path = format!(
            "projects/{}/queries/{}?maxResults={size}&timeoutMs={}&formatOptions.useInt64Timestamp=true",
            self.project,
            escaped(id),
            WAIT.as_millis()
        );
        if let Some(location) = &job.location {
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
        // Errors of a statement may come with a good status; with an answer they are warnings.
        let columns = answer.pointer("/schema/fields").and_then(Value::as_array).map_or(0, Vec::len);
        let Some(error) = answer.pointer("/errors/0").filter(|_| columns == 0) else {
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

fn rows(answer: &Value) -> Rows {
    let list = |pointer| answer.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let cells = |row: &Value| -> Vec<Value> {
        let cells = row.get("f").and_then(Value::as_array).into_iter().flatten();
        cells.map(|cell| cell.get("v").cloned().unwrap_or(Value::Null)).collect()
    };
    Rows {
        fields: list("/schema/fields").cloned().collect(),
        rows: list("/rows").map(cells).collect(),
        bytes_processed: number(answer, "totalBytesProcessed"),
        bytes_billed: number(answer, "totalBytesBilled"),
        changed: number(answer, "numDmlAffectedRows"),
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
    fn what_stands_for_something_is_escaped() {
        assert_eq!(escaped("a/b c=:日"), "a%2Fb%20c%3D%3A%E6%97%A5");
    }
}
