//! One request, and what became of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, Url, redirect};
use sendgrid_events::MessageId;

use super::answer::{self, MAX_BODY};
use super::rate_limit::RateLimit;
use super::{MailSend, Outcome, said};
use crate::clock::now_micros;
use crate::config::sendgrid::is_loopback;
use crate::config::{ApiKey, SendGrid};
use crate::log::chain;

const MESSAGE_ID: &str = "x-message-id";
/// Connecting takes longer only where nobody answers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than any server waits: a connection that SendGrid closes while a request is on its way makes it uncertain.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No key.
    #[error(
        "there is no API key of SendGrid: set [sendgrid] api_key_file, or MAILTRAIL_SENDGRID_API_KEY in the environment \
         (a key with the permission Mail Send is enough)"
    )]
    NoKey,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Http(String),
}

/// SendGrid's API with one key at one host.
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) host: Url,
    mail_send: Url,
    key: ApiKey,
    pub(super) limit: RateLimit,
    requests: AtomicU64,
}

impl Client {
    /// A client as configured; connects when first used.
    ///
    /// # Errors
    /// When there is no key.
    pub fn new(config: &SendGrid) -> Result<Self, ClientError> {
        let key = config.api_key.clone().ok_or(ClientError::NoKey)?;
        let mut headers = HeaderMap::new();
        let header = |text: &str| HeaderValue::from_str(text).map_err(|_| ClientError::NoKey);
        let mut authorization = header(&format!("Bearer {}", key.expose()))?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        if let Some(subuser) = &config.on_behalf_of {
            headers.insert(HeaderName::from_static("on-behalf-of"), header(subuser)?);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("mailtrail/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // Only here is decided what may be repeated.
            .retry(reqwest::retry::never())
            .http1_only()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .timeout(config.timeout);
        if is_loopback(&config.host) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClientError::Http(chain(error)))?;
        let mail_send = config.host.join("/v3/mail/send").map_err(|error| ClientError::Http(error.to_string()))?;
        Ok(Self {
            http,
            host: config.host.clone(),
            mail_send,
            key,
            limit: RateLimit::default(),
            requests: AtomicU64::new(0),
        })
    }

    /// When SendGrid will take the next request by what it said last, µs since 1970; 0: at once.
    #[must_use]
    pub fn ready_at(&self) -> i64 {
        self.limit.ready_at()
    }

    /// How many requests went out, repetitions too.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// To be taken out of what answers say.
    pub(super) fn key(&self) -> &str {
        self.key.expose()
    }

    /// Sends one request once.
    pub async fn send(&self, mail: &MailSend) -> Outcome {
        match serde_json::to_vec(mail) {
            Ok(body) => self.send_body(body.into(), mail.is_sandbox()).await,
            Err(_) => Outcome::NotSent { why: "the request cannot be written as JSON".to_owned() },
        }
    }

    pub(super) async fn send_body(&self, body: bytes::Bytes, sandbox: bool) -> Outcome {
        self.count();
        let request = self.http.post(self.mail_send.clone()).header(CONTENT_TYPE, "application/json").body(body);
        match request.send().await {
            Ok(response) => self.judge(response, sandbox).await,
            Err(error) if error.is_connect() || error.is_builder() => Outcome::NotSent { why: chain(error) },
            Err(error) if error.is_timeout() => Outcome::Uncertain { why: "no answer in time".to_owned() },
            Err(error) => Outcome::Uncertain { why: chain(error) },
        }
    }

    async fn judge(&self, response: Response, sandbox: bool) -> Outcome {
        let status = response.status();
        let too_many = status == StatusCode::TOO_MANY_REQUESTS;
        let wait = self.limit.note(response.headers(), too_many, now_micros());
        match status.as_u16() {
            202 => Outcome::Accepted { message_id: message_id(response.headers()) },
            // Without the sandbox nothing is known to answer 200: whoever did may have passed the request on.
            200 if sandbox => Outcome::Validated,
            429 => Outcome::TooMany { retry_after: wait },
            // 408 comes from what stands in front of SendGrid, which may have passed the request on.
            300..=407 | 409..=499 => {
                let errors = answer::errors(&read(response).await, status.as_u16(), self.key.expose());
                Outcome::Refused { status: status.as_u16(), errors }
            }
            code => {
                let errors = answer::errors(&read(response).await, code, self.key.expose());
                Outcome::Uncertain { why: format!("HTTP status {code}: {}", said(&errors)) }
            }
        }
    }
}

/// An id that can be kept: visible ASCII of sensible length.
fn message_id(headers: &HeaderMap) -> Option<MessageId> {
    let text = headers.get(MESSAGE_ID)?.to_str().ok()?.trim();
    let plain = text.len() <= 255 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'@');
    MessageId::from_sg_message_id(text).filter(|_| plain)
}

/// The body as far as it is short and arrives: the status alone decides.
pub(super) async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= MAX_BODY {
            break;
        }
    }
    body
}
