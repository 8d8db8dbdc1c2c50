//! One POST and what came of it. Errors never hold the URL: it is a secret.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, redirect};

use crate::clock;
use crate::config::HookUrl;
use crate::log::chain;
use crate::retry_after::retry_after;

/// So much of an answer is read at most.
pub(super) const LONGEST_ANSWER: usize = 4096;
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
    /// The answer is not that of a service that takes such messages.
    #[error(
        "it was not taken: HTTP status {status}, but the answer is {answer}, and not \"ok\" or JSON. Does the URL lead to a proxy or a sign-in page?"
    )]
    NotTaken {
        /// HTTP status.
        status: u16,
        /// What answered, such as `an HTML page ("Sign in")`.
        answer: String,
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

/// Slack's words for a destination that takes nothing more.
const PERMANENT: [&str; 8] = [
    "invalid_token",
    "channel_is_archived",
    "channel_not_found",
    "no_service",
    "no_service_id",
    "no_team",
    "team_disabled",
    "action_prohibited",
];

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

    /// Whether the same destination will refuse every notice until its URL or the service's settings are changed.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused { status: 404 | 410, .. } => true,
            Self::Refused { code: Some(code), .. } => PERMANENT.contains(&code.as_str()),
            _ => false,
        }
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

    /// Asks the URL's server for its front page; whatever it answers, it can be reached.
    pub(crate) async fn reach(&self, url: &HookUrl) -> Result<(), SendError> {
        let mut front = url.expose().clone();
        front.set_path("/");
        front.set_query(None);
        front.set_fragment(None);
        let client = if url.is_loopback() { &self.loopback } else { &self.outward };
        client.head(front).send().await.map(drop).map_err(|error| SendError::Unanswered(chain(error)))
    }

    /// Posts once.
    pub(crate) async fn post(
        &self,
        url: &HookUrl,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Result<Response, SendError> {
        let client = if url.is_loopback() { &self.loopback } else { &self.outward };
        let request = client.post(url.expose().clone()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| SendError::Unanswered(chain(error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let again = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY);
        if again {
            let retry_after = retry_after(response.headers(), clock::now(), LONGEST_WAIT);
            return Err(SendError::Busy { status: status.as_u16(), retry_after });
        }
        Err(SendError::Refused { status: status.as_u16(), code: code(response).await })
    }
}

/// The word that a service answers a refusal with, where it is one.
async fn code(response: Response) -> Option<String> {
    let answer = read(response).await;
    let word = std::str::from_utf8(&answer).ok()?.trim();
    let plain = (1..=60).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then(|| word.to_owned())
}

/// The beginning of an answer's body.
pub(super) async fn read(mut response: Response) -> Vec<u8> {
    let mut answer = Vec::new();
    while answer.len() < LONGEST_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        answer.extend_from_slice(&chunk);
    }
    answer.truncate(LONGEST_ANSWER);
    answer
}
