//! Posts a [`Plan`] as SendGrid does: several connections at once, each POST signed afresh, no redirects followed, and
//! anything but a 2xx tried again at growing intervals.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Certificate, Client, Response, redirect};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::plan::{Plan, Post};
use crate::report::{Refusal, Report};
use crate::sign::{Signer, SignerError};
use crate::target::Target;

/// Header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Twilio-Email-Event-Webhook-Signature";
/// Header that carries the time of signing.
pub const TIMESTAMP_HEADER: &str = "X-Twilio-Email-Event-Webhook-Timestamp";
/// What SendGrid calls itself.
pub const USER_AGENT: &str = "SendGrid Event API";
/// The type of its bodies.
pub const JSON_UTF_8: &str = "application/json;charset=utf-8";

/// An answer is read up to here; what is longer is none of a receiver's.
const MAX_ANSWER_BYTES: usize = 4096;

/// How a plan is delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where to.
    pub target: Target,
    /// Who signs; `None`: unsigned, as webhooks without the security feature.
    pub signer: Option<Arc<Signer>>,
    /// Connections at once.
    pub connections: usize,
    /// Events a second at most, measured on the first try of each POST; `None`: as fast as answers come.
    pub events_per_second: Option<u32>,
    /// Whether and when a failed POST is tried again.
    pub retry: Option<Retry>,
    /// An answer must be there within this.
    pub request_timeout: Duration,
    /// The whole delivery ends after this, done or not.
    pub total_time: Duration,
    /// A root certificate (PEM) to trust beside the system's.
    pub extra_root: Option<Vec<u8>>,
}

/// SendGrid retries "at increasing intervals for up to 24 hours"; here the intervals are the caller's, so that a story
/// takes seconds.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// The first interval; each further one is twice as long.
    pub base: Duration,
    /// No interval is longer than this.
    pub cap: Duration,
}

/// Why a delivery could not begin or go on. What receivers answer is no error but in the [`Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The certificate to trust is none.
    #[error("the root certificate is not a PEM certificate")]
    Certificate,
    /// No HTTP client could be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Client(String),
    /// A body could not be signed.
    #[error(transparent)]
    Sign(#[from] SignerError),
}

impl Delivery {
    /// Unsigned, over four connections, with retries from one second up, for an hour at most.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            signer: None,
            connections: 4,
            events_per_second: None,
            retry: Some(Retry { base: Duration::from_secs(1), cap: Duration::from_secs(60) }),
            request_timeout: Duration::from_secs(10),
            total_time: Duration::from_secs(3600),
            extra_root: None,
        }
    }

    /// Posts everything, and ends when all is acknowledged, given up (without `retry`) or `total_time` is over.
    /// `now` is the time of the first signature, Unix seconds; later ones follow a monotonic clock.
    ///
    /// # Errors
    /// When the HTTP client can't be set up, or a body can't be signed.
    pub async fn post(&self, plan: &Plan, now: i64) -> Result<Report, DeliveryError> {
        let started = Instant::now();
        let deadline = started + self.total_time;
        let courier = Arc::new(Courier {
            client: self.client()?,
            target: self.target.clone(),
            signer: self.signer.clone(),
            retry: self.retry,
            lines: Arc::new(Semaphore::new(self.connections.max(1))),
            signed_from: (started, now),
            report: Mutex::new(Report { posts: plan.posts.len(), ..Report::default() }),
        });
        let mut tasks = JoinSet::new();
        let dispatched = timeout_at(deadline, self.dispatch(plan, &courier, &mut tasks)).await;
        if let Ok(result) = dispatched {
            result?;
        }
        let drained = timeout_at(deadline, async {
            while let Some(done) = tasks.join_next().await {
                done.unwrap_or(Ok(()))?;
            }
            Ok::<(), DeliveryError>(())
        })
        .await;
        tasks.shutdown().await;
        if let Ok(result) = drained {
            result?;
        }
        let mut report = std::mem::take(&mut *courier.report());
        report.times.sort_unstable();
        report.elapsed = started.elapsed();
        Ok(report)
    }

    async fn dispatch(
        &self,
        plan: &Plan,
        courier: &Arc<Courier>,
        tasks: &mut JoinSet<Result<(), DeliveryError>>,
    ) -> Result<(), DeliveryError> {
        let started = Instant::now();
        let mut events = 0_u64;
        for post in &plan.posts {
            if let Some(rate) = self.events_per_second {
                sleep_until(started + Duration::from_secs_f64(events as f64 / f64::from(rate.max(1)))).await;
            }
            events += post.keys.len() as u64;
            let line = courier.line().await;
            tasks.spawn(Arc::clone(courier).deliver(post.clone(), line));
            while let Some(done) = tasks.try_join_next() {
                done.unwrap_or(Ok(()))?;
            }
        }
        Ok(())
    }

    fn client(&self) -> Result<Client, DeliveryError> {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static(JSON_UTF_8)),
            (ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
        ]);
        let mut builder = Client::builder()
            .http1_only()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .timeout(self.request_timeout)
            .pool_max_idle_per_host(self.connections.max(1));
        if self.target.is_loopback() {
            builder = builder.no_proxy();
        }
        builder = match &self.extra_root {
            Some(pem) => {
                // A file without any certificate would be taken without a word.
                let roots = Certificate::from_pem_bundle(pem).map_err(|_| DeliveryError::Certificate)?;
                if roots.is_empty() {
                    return Err(DeliveryError::Certificate);
                }
                builder.tls_certs_merge(roots)
            }
            // Plain HTTP must not fail on a machine that has no root certificates.
            None if !self.target.is_https() => builder.tls_certs_only([]),
            None => builder,
        };
        builder.build().map_err(|error| DeliveryError::Client(chain(error)))
    }
}

/// What the tasks of one delivery share.
struct Courier {
    client: Client,
    target: Target,
    signer: Option<Arc<Signer>>,
    retry: Option<Retry>,
    lines: Arc<Semaphore>,
    signed_from: (Instant, i64),
    report: Mutex<Report>,
}

impl Courier {
    fn report(&self) -> MutexGuard<'_, Report> {
        // Counters are whole after each statement, so a panic elsewhere leaves nothing half done.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn line(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.lines).acquire_owned().await.ok()
    }

    async fn deliver(self: Arc<Self>, post: Post, first: Option<OwnedSemaphorePermit>) -> Result<(), DeliveryError> {
        let mut line = first;
        let mut interval = self.retry.map(|retry| retry.base);
        loop {
            if self.attempt(&post).await? {
                return Ok(());
            }
            // Waiting to try again must not hold up what others have to tell.
            drop(line);
            let (Some(retry), Some(pause)) = (self.retry, interval) else { return Ok(()) };
            sleep(pause).await;
            interval = Some((pause * 2).min(retry.cap));
            line = self.line().await;
            self.report().retries += 1;
        }
    }

    /// One try; whether it was acknowledged.
    async fn attempt(&self, post: &Post) -> Result<bool, DeliveryError> {
        let request = self.request(&post.body)?;
        let sent = Instant::now();
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let mut report = self.report();
                report.unanswered += 1;
                report.first_failure.get_or_insert_with(|| chain(error));
                return Ok(false);
            }
        };
        let took = sent.elapsed();
        let text = answer(&mut response).await;
        let status = response.status();
        let mut report = self.report();
        *report.statuses.entry(status.as_u16()).or_default() += 1;
        if !status.is_success() {
            report.first_refusal.get_or_insert_with(|| Refusal {
                status: status.as_u16(),
                asks_for_credentials: response.headers().contains_key(WWW_AUTHENTICATE),
                text: printable(&text),
            });
            return Ok(false);
        }
        report.times.push(took);
        report.acknowledged_posts += 1;
        report.acknowledged_events += post.keys.len() as u64;
        report.acknowledged.extend(post.keys.iter().cloned());
        let counts: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        report.accepted += counts["accepted"].as_u64().unwrap_or(0);
        report.quarantined += counts["quarantined"].as_u64().unwrap_or(0);
        Ok(true)
    }

    fn request(&self, body: &Bytes) -> Result<reqwest::RequestBuilder, SignerError> {
        let mut request = self.client.post(self.target.expose().clone()).body(body.clone());
        if let Some(signer) = &self.signer {
            let (started, now) = self.signed_from;
            let headers = signer.sign(now + started.elapsed().as_secs() as i64, body)?;
            request = request.header(SIGNATURE_HEADER, headers.signature).header(TIMESTAMP_HEADER, headers.timestamp);
        }
        Ok(request)
    }
}

/// The body of an answer, as far as it is short and arrives.
async fn answer(response: &mut Response) -> Vec<u8> {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_ANSWER_BYTES - text.len();
        text.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if text.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    text
}

fn printable(text: &[u8]) -> String {
    let text = text.iter().take(200).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { ' ' });
    text.collect::<String>().trim().to_owned()
}

/// An error of the HTTP client with its causes, without the URL: that may carry a password.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
