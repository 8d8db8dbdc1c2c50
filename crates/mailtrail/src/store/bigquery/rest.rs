//! BigQuery's REST API (v2): one call in, JSON out, errors in words.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::auth::Auth;
use super::error::BigQueryError;
use crate::config::BigQuery;

/// A call that has no answer within this is given up; questions that take longer are asked for again and again.
const PATIENCE: Duration = Duration::from_secs(30);
/// A call is repeated this often where nothing was done or repeating does no harm.
const TRIES: u32 = 3;
/// The same for what may be megabytes on a slow line.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(600);
/// Between the parts of an upload; JSON has no line that begins so.
const BOUNDARY: &str = "mailtrail-3f9c1d";
const PAUSE: Duration = Duration::from_millis(300);

/// The REST API.
#[derive(Clone)]
pub(crate) struct Rest {
    http: reqwest::Client,
    base: String,
    auth: Auth,
}

/// What to ask. All of it may be repeated: what makes something fails with `duplicate` then, and queries carry an id.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Below `/bigquery/v2/`, with its query.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// In words that follow "to".
    pub(crate) doing: &'a str,
    /// What the caller must be allowed to do.
    pub(crate) permission: &'static str,
}

impl Rest {
    pub(crate) fn new(config: &BigQuery, auth: Auth) -> Result<Self, BigQueryError> {
        let base = config.endpoint.as_str().to_owned();
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).connect_timeout(Duration::from_secs(10));
        if config.is_emulator() {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| BigQueryError::Unreachable { endpoint: base.clone(), why: error.to_string() })?;
        Ok(Self { http, base, auth })
    }

    /// Asks, a few times where BigQuery is not to be had at the moment.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Value, BigQueryError> {
        let mut tries = 1;
        loop {
            let (passing, error) = match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if !passing || tries >= TRIES {
                return Err(error);
            }
            tokio::time::sleep(PAUSE * tries).await;
            tries += 1;
        }
    }

    /// Sends a job with what it works on, a few times where BigQuery is not to be had: the job's own name makes that one job.
    pub(crate) async fn upload(
        &self,
        path: &str,
        job: &Value,
        lines: &[u8],
        doing: &str,
    ) -> Result<Value, BigQueryError> {
        let call =
            Call { method: Method::POST, path: path.to_owned(), body: None, doing, permission: "bigquery.jobs.create" };
        let url = format!("{}/upload/bigquery/v2/{path}?uploadType=multipart", self.base);
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{job}\r\n--{BOUNDARY}\r\nContent-Type: \
             application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), lines, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let body = bytes::Bytes::from(body);
        let mut tries = 1;
        loop {
            let headers = self.auth.headers().await?;
            let content = format!("multipart/related; boundary={BOUNDARY}");
            let request = self.http.post(&url).headers(headers).header(CONTENT_TYPE, content);
            let request = request.timeout(UPLOAD_PATIENCE).body(body.clone());
            match self.answer(request, &call).await {
                Err((true, _)) if tries < TRIES => {
                    tokio::time::sleep(PAUSE * tries).await;
                    tries += 1;
                }
                answer => return answer.map_err(|(_, error)| error),
            }
        }
    }

    /// An error, with whether it may pass.
    async fn once(&self, call: &Call<'_>) -> Result<Value, (bool, BigQueryError)> {
        let headers = self.auth.headers().await.map_err(|error| (false, error))?;
        let url = format!("{}/bigquery/v2/{}", self.base, call.path);
        let mut request = self.http.request(call.method.clone(), url).headers(headers);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_string());
        }
        self.answer(request, call).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder, call: &Call<'_>) -> Result<Value, (bool, BigQueryError)> {
        let unreachable = |error: reqwest::Error| {
            let why = root(&error);
            (true, BigQueryError::Unreachable { endpoint: self.base.clone(), why })
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            let body: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return serde_json::from_slice(body).map_err(|error| {
                (false, BigQueryError::Answer { doing: call.doing.to_owned(), why: error.to_string() })
            });
        }
        let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err((passing, refusal(status, &bytes, call)))
    }
}

/// `{"error": {"message", "errors": [{"reason"}], "status"}}`, or whatever a proxy says.
fn refusal(status: StatusCode, body: &[u8], call: &Call<'_>) -> BigQueryError {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let reason = match status {
        StatusCode::NOT_FOUND => "notFound",
        StatusCode::CONFLICT => "duplicate",
        StatusCode::UNAUTHORIZED => "unauthorized",
        _ => text("/error/errors/0/reason").or_else(|| text("/error/status")).unwrap_or_else(|| status.as_str()),
    };
    BigQueryError::Refused {
        doing: call.doing.to_owned(),
        reason: reason.to_owned(),
        message: text("/error/message").map_or_else(|| format!("HTTP {status}"), str::to_owned),
        permission: call.permission,
    }
}

/// The innermost cause: what reqwest says around it is the address, which is said anyway.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> String {
        let call = Call {
            method: Method::POST,
            path: String::new(),
            body: None,
            doing: "create the table p.d.t",
            permission: "bigquery.tables.create",
        };
        refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &call).to_string()
    }

    #[test]
    fn a_refusal_says_what_was_asked_and_what_is_missing() {
        let denied =
            r#"{"error":{"code":403,"message":"Access Denied: Dataset p:d","errors":[{"reason":"accessDenied"}]}}"#;
        let text = told(403, denied);
        for expected in ["refused to create the table p.d.t", "Access Denied", "bigquery.tables.create", "dataEditor"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(told(404, "{}").contains("bigquery init"));
        assert!(told(401, "").contains("credentials"));
        assert!(told(502, "<html>").contains("HTTP 502"));
    }
}
