//! The road of one request, from its head to its answer.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use sendgrid_events::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::access::{Access, Admitted};
use super::answer::{self, Refusal};
use super::authentic::{Authentic, ProofHeaders};
use super::body::{self, Budget};
use super::head;
use crate::clock;
use crate::config::Receive;
use crate::log;

/// What becomes of an authentic body: the rest of an event's road.
pub trait Keep: Send + Sync + 'static {
    /// Makes every item of the body durable; answers only then.
    fn keep(&self, body: Authentic) -> impl Future<Output = Result<Kept, Refusal>> + Send;

    /// Whether the store takes writes, for `/readyz`.
    fn ready(&self) -> bool;

    /// Told of each POST that was not taken.
    fn refused(&self, refusal: Refusal);
}

/// How many items of a body are durable now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Events (duplicates among them are found when they are drained).
    pub accepted: usize,
    /// Items that could not be read, sealed.
    pub quarantined: usize,
}

/// What all connections of the public listener share.
pub struct Shared<K> {
    keep: K,
    access: RwLock<Arc<Access>>,
    budget: Budget,
    path: String,
    max_body: usize,
    body_timeout: Duration,
    answer_timeout: Duration,
    behind_proxy: bool,
}

impl<K: Keep> Shared<K> {
    /// From `[receive]`.
    pub fn new(config: &Receive, keep: K) -> Self {
        Self {
            keep,
            access: RwLock::new(Arc::new(Access::new(config))),
            budget: Budget::new(config.memory_budget),
            path: config.path.clone(),
            max_body: config.max_body,
            body_timeout: config.body_timeout,
            answer_timeout: config.answer_timeout,
            behind_proxy: config.behind_proxy,
        }
    }

    /// Replaces credentials and keys, all at once.
    pub fn replace_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers one request. `raw_head`: its head as it came; `None` where it came before its turn.
    pub(super) async fn answer(&self, raw_head: Option<Vec<u8>>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => return answer::plain(StatusCode::OK, "ok\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => {
                return match self.keep.ready() {
                    true => answer::plain(StatusCode::OK, "ready\n"),
                    false => answer::plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
                };
            }
            _ => {}
        }
        let (parts, mut body) = request.into_parts();
        let outcome = match self.admit(raw_head.as_deref(), &parts) {
            Err(refusal) => Err((refusal, true)),
            Ok((access, admitted)) => self.take(&access, &admitted, &parts.headers, &mut body).await,
        };
        let response = match outcome {
            Ok(kept) => answer::accepted(kept),
            Err((refusal, body_left)) => {
                self.tell(refusal);
                if body_left && self.behind_proxy {
                    body::discard(&mut body, self.max_body, self.body_timeout).await;
                }
                answer::refused(refusal, body_left && !self.behind_proxy)
            }
        };
        let status = response.status();
        metrics::counter!("mailtrail_posts_total", "status" => status_label(status)).increment(1);
        metrics::histogram!("mailtrail_answer_seconds").record(started.elapsed().as_secs_f64());
        response
    }

    /// All that can be said without the body.
    fn admit(&self, raw_head: Option<&[u8]>, parts: &http::request::Parts) -> Result<(Arc<Access>, Admitted), Refusal> {
        if parts.uri.path() != self.path {
            return Err(Refusal::NotFound);
        }
        if parts.method != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        head::check_unambiguous(raw_head.ok_or(Refusal::Pipelined)?)?;
        head::check_not_compressed(&parts.headers)?;
        let access = self.access();
        if access.is_open() {
            head::check_loopback(&parts.headers)?;
        }
        let admitted = access.admit(&parts.headers, clock::now_micros() / 1_000_000)?;
        Ok((access, admitted))
    }

    /// Reads, proves and keeps the body. The flag of an error says whether bytes of the body may be left unread.
    async fn take(
        &self,
        access: &Arc<Access>,
        admitted: &Admitted,
        headers: &HeaderMap,
        body: &mut Incoming,
    ) -> Result<Kept, (Refusal, bool)> {
        let body::Held { bytes, share: _share } = body::read(body, self.max_body, self.body_timeout, &self.budget)
            .await
            .map_err(|refusal| (refusal, true))?;
        let received_at = clock::now_micros();
        let verified_by = access.verify(admitted, &bytes).map_err(|refusal| (refusal, false))?;
        let authentic = Authentic::new(bytes, proof_headers(headers), verified_by, received_at);
        match tokio::time::timeout(self.answer_timeout, self.keep.keep(authentic)).await {
            Ok(kept) => kept.map_err(|refusal| (refusal, false)),
            // It may be stored all the same; SendGrid repeats it and the repetition is found by its key.
            Err(_) => Err((Refusal::StoreSlow, false)),
        }
    }

    fn tell(&self, refusal: Refusal) {
        metrics::counter!("mailtrail_refused_total", "reason" => refusal.as_str()).increment(1);
        if refusal.may_cost_events() {
            self.keep.refused(refusal);
            log::limited(refusal.as_str(), || {
                tracing::warn!(
                    reason = refusal.as_str(),
                    status = refusal.status().as_u16(),
                    "refused a POST; SendGrid repeats it for 24 hours"
                );
            });
        }
    }
}

/// `head` has seen that each is there once at most.
fn proof_headers(headers: &HeaderMap) -> ProofHeaders {
    let one = |name: &str| headers.get(name).cloned();
    ProofHeaders {
        content_type: headers.get(CONTENT_TYPE).cloned(),
        signature: one(SIGNATURE_HEADER),
        timestamp: one(TIMESTAMP_HEADER),
    }
}

fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        413 => "413",
        415 => "415",
        503 => "503",
        _ => "other",
    }
}
