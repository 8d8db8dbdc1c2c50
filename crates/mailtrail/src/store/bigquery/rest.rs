//! BigQuery's REST API (v2): one call in, JSON out, errors in words.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::auth::Auth;
use super::error::BigQueryError;
use crate::config::BigQuery;

/// A call that has no answer within this is given up; questions that take longer are asked for again and again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a call is made that BigQuery cannot be reached for, and how often one that it turned away for now. All of them may be repeated.
const TRIES_UNREACHED: u32 = 3;
const TRIES_TURNED_AWAY: u32 = 6;
/// The same for what may be megabytes on a slow line.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(600);
/// Between the parts of an upload; JSON has no line that begins so.
const BOUNDARY: &str = "mailtrail-3f9c1d";
/// Before the second try; doubled before each further one.
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

    /// Asks; repeats with backoff while BigQuery cannot be reached or turns the call away for now.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Value, BigQueryError> {
        with_backoff(|| self.once(call)).await
    }

    /// As [`call`](Self::call), with what a job works on. Repeated, it is still one job, because it has its own name.
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
        with_backoff(async || {
            let headers = self.auth.headers().await?;
            let content = format!("multipart/related; boundary={BOUNDARY}");
            let request = self.http.post(&url).headers(headers).header(CONTENT_TYPE, content);
            self.answer(request.timeout(UPLOAD_PATIENCE).body(body.clone()), &call).await
        })
        .await
    }

    async fn once(&self, call: &Call<'_>) -> Result<Value, BigQueryError> {
        let headers = self.auth.headers().await?;
        let url = format!("{}/bigquery/v2/{}", self.base, call.path);
        let mut request = self.http.request(call.method.clone(), url).headers(headers);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_string());
        }
        self.answer(request, call).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder, call: &Call<'_>) -> Result<Value, BigQueryError> {
        let unreachable =
            |error: reqwest::Error| BigQueryError::Unreachable { endpoint: self.base.clone(), why: root(&error) };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            let body: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return serde_json::from_slice(body)
                .map_err(|error| BigQueryError::Answer { doing: call.doing.to_owned(), why: error.to_string() });
        }
        Err(refusal(status, &bytes, call))
    }
}

async fn with_backoff<F>(mut once: impl FnMut() -> F) -> Result<Value, BigQueryError>
where
    F: Future<Output = Result<Value, BigQueryError>>,
{
    let (mut tries, mut pause) = (1, PAUSE);
    loop {
        let error = match once().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let most = match error {
            BigQueryError::Unreachable { .. } => TRIES_UNREACHED,
            ref error if error.is_temporary() => TRIES_TURNED_AWAY,
            _ => 1,
        };
        if tries >= most {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        (tries, pause) = (tries + 1, pause * 2);
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
        StatusCode::TOO_MANY_REQUESTS => "rateLimitExceeded",
        // Also where a proxy answers, or BigQuery gives another word for it.
        status if status.is_server_error() => "backendError",
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
        for (status, reason, temporary) in [
            (403, "rateLimitExceeded", true),
            (400, "jobRateLimitExceeded", true),
            (503, "", true),
            (429, "", true),
            (403, "quotaExceeded", false),
            (403, "accessDenied", false),
            (400, "invalidQuery", false),
        ] {
            let call = Call { method: Method::GET, path: String::new(), body: None, doing: "ask", permission: "" };
            let body = serde_json::json!({"error": {"message": "m", "errors": [{"reason": reason}]}}).to_string();
            let error = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &call);
            assert_eq!(error.is_temporary(), temporary, "{status} {reason}");
        }
    }
}
