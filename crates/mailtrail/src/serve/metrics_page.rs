//! Prometheus metrics on a listener of their own, and how ready everything is, in detail.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::sink::Sink;
use super::{readiness, reload};
use crate::follow::forward::{self, Forwarding};
use crate::notify::Channel;
use crate::receive::{ConnectionFault, Refusal, Tls, status_label};
use crate::relay;
use crate::stop::Stop;

/// Scrapers at once; more are turned away.
const MOST_CONNECTIONS: usize = 16;

/// The recorder is the process's own, however many receivers it starts.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// The metrics listener, bound.
pub(super) struct MetricsPage {
    tcp: TcpListener,
    sink: Sink,
    forwarding: Option<Forwarding>,
    tls: Option<Arc<Tls>>,
    recorder: PrometheusHandle,
}

pub(super) async fn bind(
    listen: SocketAddr,
    sink: Sink,
    forwarding: Option<Forwarding>,
    tls: Option<Arc<Tls>>,
) -> anyhow::Result<MetricsPage> {
    let recorder = recorder()?;
    let tcp = TcpListener::bind(listen).await.map_err(|error| anyhow::anyhow!("cannot listen on {listen}: {error}"))?;
    Ok(MetricsPage { tcp, sink, forwarding, tls, recorder })
}

/// Metrics are recorded from here on. Called before the parts of `serve` are made, because each begins its counters with 0.
pub(super) fn install() -> anyhow::Result<()> {
    recorder()?;
    describe();
    Ok(())
}

fn recorder() -> anyhow::Result<PrometheusHandle> {
    if let Some(recorder) = RECORDER.get() {
        return Ok(recorder.clone());
    }
    let buckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)?
        .install_recorder()?;
    Ok(RECORDER.get_or_init(|| recorder).clone())
}

fn describe() {
    metrics::describe_counter!(
        "mailtrail_log_lines_dropped_total",
        "log lines dropped because stderr was not read, since the start"
    );
    metrics::describe_counter!("mailtrail_posts_total", "POSTs answered, by status");
    metrics::describe_counter!("mailtrail_refused_total", "POSTs and connections refused, by reason");
    metrics::describe_counter!("mailtrail_events_total", "events received, by type");
    metrics::describe_counter!("mailtrail_items_accepted_total", "events acknowledged as durable");
    metrics::describe_counter!("mailtrail_items_quarantined_total", "unreadable items acknowledged as durable");
    metrics::describe_histogram!("mailtrail_answer_seconds", "time from a request's head to its answer");
    metrics::describe_gauge!(
        "mailtrail_signature_age_seconds",
        "our clock minus the signature time of the last POST with a valid signature"
    );
    metrics::describe_gauge!(
        "mailtrail_refusing_everything",
        "1 if POSTs of proven senders are refused and none is accepted for long"
    );
    metrics::describe_gauge!(
        "mailtrail_refusing_unproven",
        "1 if POSTs are refused and none is accepted for long, and nothing proves who sent them"
    );
    metrics::describe_gauge!("mailtrail_backlog_items", "items acknowledged but not yet in the trail");
    metrics::describe_gauge!("mailtrail_backlog_bytes", "bytes of the backlog");
    metrics::describe_gauge!("mailtrail_backlog_age_seconds", "age of the oldest item in the backlog");
    metrics::describe_gauge!("mailtrail_store_writable", "1 where the store takes writes");
    metrics::describe_counter!("mailtrail_trail_stored_total", "items written to the trail since the start");
    metrics::describe_counter!(
        "mailtrail_trail_duplicates_total",
        "items found to be in the trail already, since the start"
    );
    forward::describe();
    relay::describe();
    reload::describe();
    metrics::describe_counter!(
        "mailtrail_trail_quarantined_total",
        "unreadable items written to the quarantine, since the start"
    );
    metrics::describe_counter!(
        "mailtrail_trail_forgotten_total",
        "events of forgotten addresses that were not stored, since the start"
    );
    metrics::describe_gauge!(
        "mailtrail_last_event_timestamp_seconds",
        "when the last event came in, or serve started if there was none, Unix time"
    );
    metrics::describe_gauge!("mailtrail_follow_lag_events", "events in the trail that a follower has not read yet");
    metrics::describe_counter!(
        "mailtrail_alerts_total",
        "messages of alerts by outcome: told, put_off and tried again, or refused and given up"
    );
    metrics::describe_gauge!("mailtrail_notices_refused", "1 where a destination of notices refuses them, by channel");
    metrics::describe_gauge!("mailtrail_concern", "1 where something will stop the receiving if nobody acts, by kind");
    metrics::describe_gauge!(
        "mailtrail_certificate_expiry_timestamp_seconds",
        "until when the certificate holds, Unix time"
    );
    metrics::describe_gauge!("mailtrail_backlog_max_bytes", "bytes that the backlog may have");
    metrics::describe_gauge!("mailtrail_disk_free_bytes", "bytes free where the store lies");
    metrics::describe_gauge!(
        "mailtrail_disk_days_left",
        "days until the disk is full at the growth of the last seven days; 3650: nothing grows"
    );
    metrics::describe_gauge!("mailtrail_growth_bytes_per_day", "growth of the trail over the last seven days");
    // Rates and increases need a value before the first event.
    for name in [
        "mailtrail_items_accepted_total",
        "mailtrail_items_quarantined_total",
        "mailtrail_connections_evicted_total",
        "mailtrail_tls_handshakes_failed_total",
    ] {
        metrics::counter!(name).increment(0);
    }
    for label in super::road::event_labels() {
        metrics::counter!("mailtrail_events_total", "event" => label).increment(0);
    }
    for status in Refusal::ALL.map(Refusal::status).into_iter().chain([StatusCode::OK]) {
        metrics::counter!("mailtrail_posts_total", "status" => status_label(status)).increment(0);
    }
    for channel in Channel::ALL {
        metrics::gauge!("mailtrail_notices_refused", "channel" => channel.key()).set(0.0);
    }
    for outcome in ["told", "put_off", "refused"] {
        metrics::counter!("mailtrail_alerts_total", "outcome" => outcome).increment(0);
    }
    let faults = ConnectionFault::ALL.into_iter().map(ConnectionFault::as_str);
    for reason in Refusal::ALL.into_iter().map(Refusal::as_str).chain(faults) {
        metrics::counter!("mailtrail_refused_total", "reason" => reason).increment(0);
    }
}

impl MetricsPage {
    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop`.
    pub(super) async fn serve(self, mut stop: Stop) {
        let page = Arc::new(self);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let stream = tokio::select! {
                accepted = page.tcp.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => { tokio::time::sleep(Duration::from_millis(50)).await; continue }
                },
                () = stop.requested() => return,
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let page = Arc::clone(&page);
            tokio::spawn(async move {
                let _place = place;
                let service = service_fn(|request| {
                    let response = page.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(30))
                    .serve_connection(TokioIo::new(stream), service);
                // How a scraper's connection ends is its own matter.
                let _ended = connection.await;
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let get = request.method() == Method::GET;
        let (status, kind, body) = match request.uri().path() {
            "/metrics" if get => {
                self.sample();
                self.recorder.run_upkeep();
                (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.recorder.render())
            }
            "/readyz" if get => {
                let (ready, detail) = readiness::look(&self.sink, self.forwarding.as_ref(), self.tls.as_deref());
                let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, "application/json", format!("{detail}\n"))
            }
            _ => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "see /metrics and /readyz\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        *response.status_mut() = status;
        response
    }

    /// Gauges that are read from the store when asked for.
    fn sample(&self) {
        metrics::gauge!("mailtrail_store_writable").set(if self.sink.is_ready() { 1.0 } else { 0.0 });
        metrics::counter!("mailtrail_log_lines_dropped_total").absolute(crate::log::dropped_lines());
        let Sink::Spool(keeper) = &self.sink else { return };
        let state = keeper.state();
        metrics::gauge!("mailtrail_backlog_items").set(state.backlog.items as f64);
        metrics::gauge!("mailtrail_backlog_bytes").set(state.backlog.bytes as f64);
        let age = state.oldest_received_at.map_or(0, |oldest| (crate::clock::now_micros() - oldest).max(0));
        metrics::gauge!("mailtrail_backlog_age_seconds").set(age as f64 / 1e6);
        metrics::counter!("mailtrail_trail_stored_total").absolute(state.stored);
        metrics::counter!("mailtrail_trail_duplicates_total").absolute(state.duplicate);
        metrics::counter!("mailtrail_trail_quarantined_total").absolute(state.quarantined);
        metrics::counter!("mailtrail_trail_forgotten_total").absolute(state.forgotten);
    }
}
