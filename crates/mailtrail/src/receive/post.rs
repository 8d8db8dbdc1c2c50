//! One request, from its head to its answer.

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use sendgrid_events::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::access::{Access, AccessSummary, Admitted, Declined};
use super::answer::{self, Refusal};
use super::authentic::{Authentic, ProofHeaders, VerifiedBy};
use super::body::{self, BodyLimits, Budget, HeldBody};
use super::connections::{BODY_EVICTED, Connections, Place};
use super::peer::Proxies;
use super::{head, hops, wrong_path};
use crate::clock;
use crate::config::Receive;
use crate::log;

/// What becomes of an authentic body: the rest of an event's road.
pub trait Keep: Send + Sync + 'static {
    /// Makes every item of the body durable; answers only then.
    fn keep(&self, body: Authentic) -> impl Future<Output = Result<Kept, Refusal>> + Send;

    /// Whether the store takes writes, for `/readyz`.
    fn ready(&self) -> bool;

    /// Called for each refused POST that may be SendGrid's. `proven`: valid credentials or a valid signature came with it.
    fn refused(&self, refusal: Refusal, proven: bool);
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
    connections: Connections,
    proxies: Proxies,
    body: BodyLimits,
    path: String,
    answer_timeout: Duration,
    behind_proxy: bool,
}

impl<K: Keep> Shared<K> {
    /// From `[receive]`.
    pub fn new(config: &Receive, keep: K) -> Self {
        metrics::counter!("mailtrail_refused_total", "reason" => BODY_EVICTED).increment(0);
        Self {
            keep,
            access: RwLock::new(Arc::new(Access::new(config))),
            connections: Connections::new(config.max_connections),
            proxies: Proxies::new(&config.trusted_proxies, config.behind_proxy),
            body: BodyLimits {
                max_body: config.max_body,
                within: config.body_timeout,
                budget: Budget::new(config.memory_budget, config.max_body),
            },
            path: config.path.clone(),
            answer_timeout: config.answer_timeout,
            behind_proxy: config.behind_proxy,
        }
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(super) fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// Replaces credentials and keys, all at once.
    pub fn replace_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    /// What is in force.
    #[must_use]
    pub fn access_summary(&self) -> AccessSummary {
        self.access().summary()
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers one request. `raw_head`: its head as it came; `None` if it came before the request before it was answered.
    /// `remote`: who is connected. `place`: may be evicted until the request is authenticated.
    pub(super) async fn answer(
        self: &Arc<Self>,
        raw_head: Option<Vec<u8>>,
        request: Request<Incoming>,
        place: &Place,
        remote: IpAddr,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        // A connection that was idle for long is not the first to go now that it has a request.
        place.reads(0);
        let (parts, mut body) = request.into_parts();
        let health = match (&parts.method, parts.uri.path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => Some(answer::plain(StatusCode::OK, "ok\n")),
            (&Method::GET | &Method::HEAD, "/readyz") => Some(match self.keep.ready() {
                true => answer::plain(StatusCode::OK, "ready\n"),
                false => answer::plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            }),
            _ => None,
        };
        if let Some(mut response) = health {
            if !body.is_end_stream() {
                answer::close(&mut response);
            }
            return response;
        }
        let response = self.answer_post(raw_head.as_deref(), &parts, &mut body, place, remote).await;
        let status = response.status();
        metrics::counter!("mailtrail_posts_total", "status" => status_label(status)).increment(1);
        metrics::histogram!("mailtrail_answer_seconds").record(started.elapsed().as_secs_f64());
        response
    }

    async fn answer_post(
        self: &Arc<Self>,
        raw_head: Option<&[u8]>,
        parts: &http::request::Parts,
        body: &mut Incoming,
        place: &Place,
        remote: IpAddr,
    ) -> Response<Full<Bytes>> {
        let received = match self.admit(raw_head, parts) {
            Ok((access, admitted)) => self.receive(access, admitted, &parts.headers, body, place, remote).await,
            Err(declined) => Received { body_unread: true, outcome: Err(declined) },
        };
        match received.outcome {
            Ok(kept) => answer::accepted(kept),
            Err(Declined { refusal, proven }) => {
                self.report(refusal, proven, parts);
                let body_unread = received.body_unread
                    && !(self.behind_proxy && !refusal.is_ambiguous() && body::discard(body, &self.body, place).await);
                let mut response = answer::refused(refusal);
                if body_unread {
                    answer::close(&mut response);
                }
                response
            }
        }
    }

    /// All that can be said without the body.
    fn admit(
        &self,
        raw_head: Option<&[u8]>,
        parts: &http::request::Parts,
    ) -> Result<(Arc<Access>, Admitted), Declined> {
        let unproven = |refusal: Refusal| refusal.of(false);
        raw_head.ok_or(Refusal::Pipelined).and_then(head::check_unambiguous).map_err(unproven)?;
        let access = self.access();
        if parts.uri.path() != self.path {
            return Err(self.not_found(&access, parts));
        }
        if parts.method != Method::POST {
            return Err(Refusal::MethodNotAllowed.of(false));
        }
        head::check_not_compressed(&parts.headers).map_err(unproven)?;
        if access.is_open() {
            head::check_loopback(&parts.headers).map_err(unproven)?;
        }
        let admitted = access.admit(&parts.headers, clock::now_micros() / 1_000_000)?;
        Ok((access, admitted))
    }

    /// A POST to another path may be SendGrid's, where the Post URL is wrong or a proxy changes the path.
    fn not_found(&self, access: &Access, parts: &http::request::Parts) -> Declined {
        let is_signed = || parts.headers.contains_key(SIGNATURE_HEADER) && parts.headers.contains_key(TIMESTAMP_HEADER);
        if parts.method != Method::POST {
            Refusal::NotFound.of(false)
        } else if access.has_credentials(&parts.headers) {
            Refusal::WrongPath.of(true)
        } else if is_signed() {
            Refusal::WrongPathUnproven.of(false)
        } else {
            Refusal::NotFound.of(false)
        }
    }

    /// Reads, proves and keeps the body.
    async fn receive(
        self: &Arc<Self>,
        access: Arc<Access>,
        admitted: Admitted,
        headers: &HeaderMap,
        body: &mut Incoming,
        place: &Place,
        remote: IpAddr,
    ) -> Received {
        let client = self.proxies.client(remote, headers);
        let HeldBody { bytes, mut share } = match body::read(body, &self.body, &self.connections, place, client).await {
            Ok(held) => held,
            Err(refusal) => return Received { body_unread: true, outcome: Err(refusal.of(admitted.basic)) },
        };
        let read = |outcome| Received { body_unread: false, outcome };
        let received_at = clock::now_micros();
        let verified_by = match access.verify(&admitted, &bytes) {
            Ok(verified_by) => verified_by,
            Err(declined) => return read(Err(declined)),
        };
        // Only now, because anybody can send the header.
        if hops::is_loop(headers) {
            return read(Err(Refusal::RelayLoop.of(true)));
        }
        if verified_by != VerifiedBy::Nothing {
            self.connections.note_verified(client);
        }
        share.proven();
        place.works();
        let authentic = Authentic::new(bytes, proof_headers(headers), verified_by, received_at);
        let shared = Arc::clone(self);
        // A task of its own, because the work on a body goes on if the client goes away, and its memory is in use until then.
        let work = tokio::spawn(async move {
            let kept = shared.keep.keep(authentic).await;
            drop(share);
            kept
        });
        read(match tokio::time::timeout(self.answer_timeout, work).await {
            Ok(Ok(kept)) => kept.map_err(|refusal| refusal.of(true)),
            // A panic: a defect, which costs this POST alone.
            Ok(Err(_)) => Err(Refusal::StoreFailing.of(true)),
            // It may be stored all the same; SendGrid repeats it and the repetition is found by its key.
            Err(_) => Err(Refusal::StoreSlow.of(true)),
        })
    }

    fn report(&self, refusal: Refusal, proven: bool, parts: &http::request::Parts) {
        metrics::counter!("mailtrail_refused_total", "reason" => refusal.as_str()).increment(1);
        if refusal == Refusal::RelayLoop {
            log::limited(refusal.as_str(), || {
                tracing::error!(
                    reason = refusal.as_str(),
                    "a POST that this mailtrail relayed came back to it: a url of [[relay]] leads back here, directly or through another \
                     relay; remove one of them"
                );
            });
        }
        if !refusal.may_cost_events() {
            return;
        }
        self.keep.refused(refusal, proven);
        if refusal == Refusal::WrongPath {
            let other = wrong_path::note(parts.uri.path());
            log::limited(refusal.as_str(), || {
                tracing::warn!(
                    reason = refusal.as_str(),
                    "a POST with valid credentials came to {other}, but events are received at {}: correct the Post URL in \
                     SendGrid or the path that the proxy passes on, or set [receive] path; SendGrid repeats it for 24 hours",
                    self.path
                );
            });
            return;
        }
        log::limited(refusal.as_str(), || {
            tracing::warn!(
                reason = refusal.as_str(),
                status = refusal.status().as_u16(),
                "refused a POST; SendGrid repeats it for 24 hours"
            );
        });
    }
}

/// What came of a request whose head was admitted or refused.
struct Received {
    /// Bytes of the body may not have been read.
    body_unread: bool,
    outcome: Result<Kept, Declined>,
}

/// `head` has seen that each is there once at most.
fn proof_headers(headers: &HeaderMap) -> ProofHeaders {
    let one = |name: &str| headers.get(name).cloned();
    ProofHeaders {
        content_type: headers.get(CONTENT_TYPE).cloned(),
        signature: one(SIGNATURE_HEADER),
        timestamp: one(TIMESTAMP_HEADER),
        hops: hops::of(headers),
    }
}

/// The label `status` of the metrics.
pub(crate) fn status_label(status: StatusCode) -> &'static str {
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
        508 => "508",
        _ => "other",
    }
}
