//! Deliveries against a small receiver in this process.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use sendgrid_events::{PublicKey, signature::Signature};
use sendgrid_simulator::delivery::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use sendgrid_simulator::plan::{Plan, Shape};
use sendgrid_simulator::{BulkMail, Delivery, Retry, Signer, Target};
use tokio::net::TcpListener;

const NOW: i64 = 1_700_000_000;

struct Seen {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// Answers the n-th request by `answer(n)`, and keeps what it saw.
async fn receiver(answer: fn(usize) -> Response<Full<Bytes>>) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let log = Log::default();
    let kept = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&kept);
            let service = service_fn(move |request: Request<Incoming>| {
                let log = Arc::clone(&log);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.expect("a whole body").to_bytes();
                    let mut log = log.lock().expect("no panic before");
                    log.push(Seen { path: head.uri.to_string(), headers: head.headers, body });
                    Ok::<_, Infallible>(answer(log.len() - 1))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (format!("http://sendgrid:p%3Ass%40word@{address}/event"), log)
}

fn status(code: u16, text: &'static str) -> Response<Full<Bytes>> {
    Response::builder().status(code).body(Full::from(text)).expect("valid")
}

fn plan(recipients: usize, shape: &Shape) -> Plan {
    Plan::new(&BulkMail::new("spring", recipients, NOW - 86_400, 1).play().events, shape)
}

fn delivery(url: &str) -> Delivery {
    let fast = Retry { base: Duration::from_millis(2), cap: Duration::from_millis(20) };
    let mut delivery = Delivery::new(Target::parse(url).expect("a Post URL"));
    delivery.retry = Some(fast);
    delivery.total_time = Duration::from_secs(30);
    delivery
}

#[tokio::test]
async fn posts_look_like_sendgrid_s_and_their_signatures_hold() {
    let (url, log) = receiver(|_| status(200, r#"{"accepted":3,"quarantined":1}"#)).await;
    let signer = Arc::new(Signer::generate().expect("randomness"));
    let keys = [PublicKey::parse(signer.public_key()).expect("SendGrid's form")];
    let mut delivery = delivery(&url);
    delivery.signer = Some(signer);
    let plan = plan(50, &Shape { batch_events: 20, ..Shape::default() });
    let report = delivery.post(&plan, NOW).await.expect("sent");

    assert!(report.complete());
    assert_eq!((report.retries, report.unanswered), (0, 0));
    assert_eq!(report.acknowledged, plan.keys());
    assert_eq!(report.acknowledged_events as usize, plan.events());
    let posts = plan.posts.len() as u64;
    assert_eq!((report.accepted, report.quarantined), (3 * posts, posts));
    assert_eq!(report.statuses.get(&200), Some(&posts));
    assert!(report.time_to_200(0.5) <= report.time_to_200(1.0) && report.time_to_200(1.0).is_some());

    let log = log.lock().expect("no panic before");
    assert_eq!(log.len(), plan.posts.len());
    for seen in log.iter() {
        let header = |name: &str| seen.headers[name].to_str().expect("text");
        assert_eq!(seen.path, "/event");
        assert_eq!(header("user-agent"), "SendGrid Event API");
        assert_eq!(header("content-type"), "application/json;charset=utf-8");
        assert_eq!(header("accept-encoding"), "gzip");
        let basic = format!("Basic {}", STANDARD.encode("sendgrid:p:ss@word"));
        assert_eq!(seen.headers[AUTHORIZATION], basic);
        let signature = Signature::parse(header(SIGNATURE_HEADER), header(TIMESTAMP_HEADER)).expect("well formed");
        signature.verify(&keys, &seen.body).expect("signed by the key");
        assert!((NOW..NOW + 30).contains(&signature.signed_at()));
    }
    let bodies: BTreeSet<&Bytes> = log.iter().map(|seen| &seen.body).collect();
    assert_eq!(bodies, plan.posts.iter().map(|post| &post.body).collect());
}

#[tokio::test]
async fn whatever_is_not_2xx_is_tried_again_until_it_is() {
    let answers = |n| match n {
        0 => status(503, "full"),
        1 => status(401, "no"),
        2 => Response::builder().status(302).header(LOCATION, "/elsewhere").body(Full::default()).expect("valid"),
        3 => status(404, "not here"),
        _ => status(204, ""),
    };
    let (url, log) = receiver(answers).await;
    let plan = plan(5, &Shape::default());
    let report = delivery(&url).post(&plan, NOW).await.expect("sent");
    assert!(report.complete());
    assert_eq!(report.retries, 4);
    assert_eq!(report.statuses.keys().copied().collect::<Vec<_>>(), [204, 302, 401, 404, 503]);
    assert_eq!(report.acknowledged, plan.keys());
    let log = log.lock().expect("no panic before");
    assert!(log.iter().all(|seen| seen.path == "/event" && seen.body == log[0].body));
}

#[tokio::test]
async fn without_retries_the_first_refusal_is_told() {
    let refuse = |_| {
        let text = "who are\x1b[31m you?";
        let response = Response::builder().status(401).header(WWW_AUTHENTICATE, "Basic realm=\"mailtrail\"");
        response.body(Full::from(text)).expect("valid")
    };
    let (url, log) = receiver(refuse).await;
    let mut delivery = delivery(&url);
    delivery.retry = None;
    let plan = plan(30, &Shape { batch_events: 10, ..Shape::default() });
    let report = delivery.post(&plan, NOW).await.expect("sent");
    assert!(!report.complete());
    assert_eq!(log.lock().expect("no panic before").len(), plan.posts.len());
    assert!(report.acknowledged.is_empty());
    let refusal = report.first_refusal.expect("refused");
    assert_eq!((refusal.status, refusal.asks_for_credentials), (401, true));
    assert_eq!(refusal.text, "who are [31m you?");
}

#[tokio::test]
async fn the_time_for_all_is_bounded_and_no_message_shows_the_password() {
    // A port where nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    let mut delivery = delivery(&format!("http://sendgrid:s3cret@{free}/event"));
    delivery.total_time = Duration::from_millis(200);
    let plan = plan(200, &Shape { batch_events: 1, ..Shape::default() });
    let report = delivery.post(&plan, NOW).await.expect("tried");
    assert_eq!(report.acknowledged_posts, 0);
    assert!(report.unanswered > 0);
    assert!(report.elapsed < Duration::from_secs(10), "{:?}", report.elapsed);
    let failure = report.first_failure.clone().expect("refused");
    assert!(!format!("{failure} {report:?} {delivery:?}").contains("s3cret"), "{failure}");
}

#[tokio::test]
async fn a_silent_receiver_costs_one_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let mut delivery = delivery(&format!("http://{address}/event"));
    delivery.request_timeout = Duration::from_millis(50);
    delivery.retry = None;
    let report = delivery.post(&plan(1, &Shape::default()), NOW).await.expect("tried");
    assert_eq!((report.unanswered, report.acknowledged_posts), (1, 0));
    drop(listener);
}

#[tokio::test]
async fn a_rate_is_kept() {
    let (url, _log) = receiver(|_| status(200, "{}")).await;
    let mut delivery = delivery(&url);
    delivery.events_per_second = Some(200);
    let plan = plan(20, &Shape { batch_events: 10, ..Shape::default() });
    let report = delivery.post(&plan, NOW).await.expect("sent");
    let least = Duration::from_secs_f64((plan.events() - 10) as f64 / 200.0);
    assert!(report.elapsed >= least, "{:?} for {} events", report.elapsed, plan.events());
}

#[tokio::test]
async fn https_needs_a_trusted_root_and_takes_an_extra_one() {
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever does not trust the certificate hangs up here.
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(status(200, "{}")) });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });

    let plan = plan(1, &Shape::default());
    let mut delivery = delivery(&format!("https://localhost:{port}/event"));
    delivery.retry = None;
    delivery.extra_root = Some(made.cert.pem().into_bytes());
    let report = delivery.post(&plan, NOW).await.expect("sent");
    assert!(report.complete(), "{report:?}");

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    delivery.extra_root = Some(other.cert.pem().into_bytes());
    let report = delivery.post(&plan, NOW).await.expect("tried");
    assert!(!report.complete());
    assert!(report.first_failure.is_some_and(|f| f.contains("certificate")));

    delivery.extra_root = Some(b"no certificate".to_vec());
    let error = delivery.post(&plan, NOW).await.expect_err("no certificate");
    assert_eq!(error.to_string(), "the root certificate is not a PEM certificate");
}
