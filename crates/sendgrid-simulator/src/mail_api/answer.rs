//! Answers in the form SendGrid gives them.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::judge::ApiError;

pub(crate) type Answer = Response<Full<Bytes>>;

/// What nginx says where a body is too large, as seen from the live API: HTML, though the document has JSON.
const TOO_LARGE: &str = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
    typed(status, "application/json", body.to_string())
}

pub(crate) fn accepted(message_id: &str) -> Answer {
    let mut answer = empty(StatusCode::ACCEPTED);
    // Base64url is always a header value.
    if let Ok(value) = HeaderValue::from_str(message_id) {
        answer.headers_mut().insert("X-Message-Id", value);
    }
    answer
}

/// Why a request is not done.
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<ApiError>,
}

impl Refusal {
    pub(crate) fn general(status: StatusCode, message: &str) -> Self {
        Self { status, errors: vec![ApiError::general(message)] }
    }

    pub(crate) fn answer(self) -> Answer {
        let errors: Vec<Value> = self.errors.iter().map(ApiError::to_json).collect();
        json(self.status, &json!({ "errors": errors }))
    }
}

pub(crate) fn error(status: StatusCode, message: &str) -> Answer {
    Refusal::general(status, message).answer()
}

pub(crate) fn method_not_allowed(allowed: &'static str) -> Answer {
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

pub(crate) fn too_large() -> Answer {
    typed(StatusCode::PAYLOAD_TOO_LARGE, "text/html", TOO_LARGE)
}

pub(crate) fn too_many() -> Answer {
    error(StatusCode::TOO_MANY_REQUESTS, "too many requests")
}

/// What every answer says of the rate limit: requests in the present second, and when that ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Unix seconds.
    pub(crate) reset: i64,
}

impl Rate {
    /// Used up until `after` has passed since `now`, rounded up: who waits until then has waited long enough.
    pub(crate) fn used_up(self, now: i64, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Self { remaining: 0, reset: now.saturating_add_unsigned(seconds), ..self }
    }

    pub(crate) fn say(self, mut answer: Answer) -> Answer {
        let headers = answer.headers_mut();
        headers.insert("X-RateLimit-Limit", self.limit.into());
        headers.insert("X-RateLimit-Remaining", self.remaining.into());
        headers.insert("X-RateLimit-Reset", self.reset.into());
        answer
    }
}
