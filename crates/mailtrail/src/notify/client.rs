//! One POST and what came of it. Errors never hold the URL: it is a secret.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};

use crate::config::HookUrl;
use crate::log::chain;

/// So much of an answer is read at most.
const LONGEST_ANSWER: usize = 1024;
/// No wait that a server asks for is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Why a POST was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Will be refused again: somebody has to mend something.
    #[error("it was refused with HTTP status {status}{}{}", quoted(.code.as_deref()), hint(*.status))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The service's own word for it, such as `channel_is_archived`.
        code: Option<String>,
    },
    /// The service asks to come again.
    #[error("it was put off with HTTP status {status}: the service is busy or has a fault")]
    Busy {
        /// HTTP status.
        status: u16,
        /// When to come again, where it was said.
        retry_after: Option<Duration>,
    },
    /// No answer.
    #[error("there was no answer: {0}")]
    Unanswered(String),
    /// The HTTP client does not start.
    #[error("the HTTP client cannot be used: {0}")]
    Client(String),
}

fn quoted(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are not followed, give the address that it leads to",
        401 | 403 | 404 | 410 => ": the URL is no longer valid, make a new one in the service's settings",
        _ => "",
    }
}

impl SendError {
    /// Whether the same POST may be taken later without anybody doing something.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unanswered(_))
    }

    /// How long the service asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Posts: https with the system's roots, no redirects, bounded in time.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    outward: reqwest::Client,
    /// For this machine: a proxy of the environment would lead elsewhere.
    loopback: reqwest::Client,
}

impl Client {
    /// `timeout`: from connecting to the answer's end.
    pub(crate) fn new(timeout: Duration) -> Result<Self, SendError> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("mailtrail/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .timeout(timeout)
        };
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| SendError::Client(chain(error)));
        Ok(Self { outward: build(builder().https_only(true))?, loopback: build(builder().no_proxy())? })
    }

    /// Posts once.
    pub(crate) async fn post(
        &self,
        url: &HookUrl,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Result<(), SendError> {
        let client = if url.is_loopback() { &self.loopback } else { &self.outward };
        let request = client.post(url.expose().clone()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| SendError::Unanswered(chain(error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let again = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY);
        if again {
            let retry_after = response.headers().get(RETRY_AFTER).and_then(seconds);
            return Err(SendError::Busy { status: status.as_u16(), retry_after });
        }
        Err(SendError::Refused { status: status.as_u16(), code: code(response).await })
    }
}

/// `Retry-After` in seconds; a date is not understood, and then our own back-off counts.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The word that a service answers a refusal with, where it is one.
async fn code(mut response: Response) -> Option<String> {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        answer.extend_from_slice(&chunk);
        if answer.len() > LONGEST_ANSWER {
            return None;
        }
    }
    let word = std::str::from_utf8(&answer).ok()?.trim();
    let plain = (1..=60).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then(|| word.to_owned())
}
