//! Posting to services on loopback that answer as Slack does on good days and bad ones.

use std::time::Duration;

use tokio::net::TcpListener;

use super::*;
use crate::config::{Language, WebhookSecret};
use crate::notify::testing::{Answer, OK, Service, read_request};
use crate::notify::{AlertGroup, Domains, Label, View};

const QUICK: Patience =
    Patience { first: Duration::from_millis(2), most: Duration::from_millis(5), total: Some(Duration::from_secs(3)) };

fn slack(business: Option<HookUrl>, ops: Option<HookUrl>) -> Slack {
    Slack { business, ops, language: Language::English, reasons: false }
}

fn only(business: HookUrl) -> Notifier {
    Notifier::with(slack(Some(business.clone()), Some(business)), None, Manner::default(), QUICK).unwrap()
}

#[tokio::test]
async fn what_may_pass_is_tried_again_until_it_is_taken() {
    let answers: &'static [Answer] = &[
        Answer::Status(500, "", "internal_error"),
        Answer::Status(429, "retry-after: 1\r\n", ""),
        Answer::Cut,
        Answer::Status(503, "", ""),
        OK,
    ];
    let service = Service::start(answers).await;
    let started = std::time::Instant::now();
    let told = only(service.url()).send(&Notice::Test).await.unwrap();
    assert_eq!(told.channels, [Channel::Slack(Destination::Business)]);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not kept to");
    let posts = service.posts();
    assert_eq!(posts.len(), answers.len());
    assert!(posts[0].starts_with("POST /services/T0/B0/secretpath HTTP/1.1"), "{}", posts[0]);
    assert!(posts[0].contains("\"type\":\"header\""), "{}", posts[0]);
}

#[tokio::test]
async fn a_refusal_is_told_at_once_and_without_the_url() {
    for (answer, expected) in [
        (Answer::Status(404, "", "no_service"), "HTTP status 404 (no_service): the URL is no longer valid"),
        (Answer::Status(400, "", "invalid_blocks"), "HTTP status 400 (invalid_blocks)"),
        (Answer::Status(403, "", "<html>secret</html>"), "HTTP status 403: the URL"),
        (Answer::Status(302, "location: http://127.0.0.1:1/\r\n", ""), "redirects are not followed"),
    ] {
        let service = Service::start(Box::leak(Box::new([answer]))).await;
        let error = only(service.url()).send(&Notice::Test).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert_eq!(service.posts().len(), 1, "a refusal was repeated");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_in_the_end_and_without_the_url() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = HookUrl::parse(&format!("http://{}/secretpath", gone.local_addr().unwrap())).unwrap();
    drop(gone);
    let impatient = Patience { total: Some(Duration::from_millis(20)), ..QUICK };
    let notifier = Notifier::with(slack(Some(url), None), None, Manner::default(), impatient).unwrap();
    let error = notifier.send(&Notice::Test).await.unwrap_err();
    assert!(
        matches!(error.failed[..], [(Channel::Slack(Destination::Business), SendError::Unanswered(_))]),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("secretpath"), "{error}");
}

/// A service that takes the connection and never answers. Time is virtual: nobody waits ten seconds.
#[tokio::test]
async fn a_service_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = HookUrl::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    let notifier = Notifier::with(slack(Some(url), None), None, Manner::default(), QUICK).unwrap();
    let channel = Channel::Slack(Destination::Business);
    let id = NoticeId::random().unwrap();
    let sending = notifier.send_once(channel, &Notice::Test, &id);
    let hanging = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        assert!(request.starts_with("POST"));
        // Only now: the clock would run away while the connection is made.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
        std::future::pending::<()>().await;
    };
    let error = tokio::select! {
        sent = sending => sent.unwrap_err(),
        () = hanging => unreachable!(),
    };
    assert!(matches!(error, SendError::Unanswered(_)), "{error:?}");
}

#[tokio::test]
async fn each_notice_goes_to_its_destination() {
    let (business, ops, other) =
        (Service::start(&[OK]).await, Service::start(&[OK]).await, Service::start(&[OK]).await);
    let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let webhook = Webhook { url: other.url(), secret: secret.clone() };
    let notifier =
        Notifier::with(slack(Some(business.url()), Some(ops.url())), Some(webhook), Manner::default(), QUICK).unwrap();
    let view = View::Activity(vec![("status", "bounce".to_owned())]);
    let group = AlertGroup {
        rule: Label::new("hard bounces"),
        to: Destination::Business,
        counts: vec![(Label::new("bounce"), 7)],
        top_reasons: vec![(Label::new("Invalid Address"), 7)],
        raw_reasons: vec![],
        runs: vec![],
        categories: vec![],
        domains: Domains::fold([(Some("example.com"), 7)]),
        first: 1_780_000_000_000_000,
        last: 1_780_000_000_000_000,
        view,
    };
    notifier.send(&Notice::Alert(group.clone())).await.unwrap();
    assert_eq!((business.posts().len(), ops.posts().len(), other.posts().len()), (1, 0, 1));
    notifier.send(&Notice::Alert(AlertGroup { to: Destination::Ops, ..group })).await.unwrap();
    assert_eq!((business.posts().len(), ops.posts().len(), other.posts().len()), (1, 1, 2));
    notifier.send(&Notice::Test).await.unwrap();
    assert_eq!((business.posts().len(), ops.posts().len(), other.posts().len()), (2, 2, 3));

    // The webhook's signature is over what was posted.
    let posts = other.posts();
    let (head, body) = posts[0].split_once("\r\n\r\n").unwrap();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
    let timestamp = header("webhook-timestamp").parse().unwrap();
    let expected = webhook::signature(&secret, header("webhook-id"), timestamp, body);
    assert_eq!(header("webhook-signature"), expected);
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&json["type"], &json["data"]["total"]), (&"alert".into(), &7.into()));
    assert_eq!(json["data"]["domains"]["named"][0]["name"], "example.com");
}

#[tokio::test]
async fn nothing_configured_tells_nobody() {
    let notifier = Notifier::with(slack(None, None), None, Manner::default(), QUICK).unwrap();
    assert!(!notifier.is_configured());
    assert_eq!(notifier.send(&Notice::Test).await, Ok(Told::default()));
}

#[tokio::test]
async fn an_answer_that_is_not_slack_s_is_no_delivery() {
    let page = Answer::Status(200, "content-type: text/html\r\n", "<html><title>Sign in</title></html>");
    let service = Service::start(Box::leak(Box::new([page]))).await;
    let error = only(service.url()).send(&Notice::Test).await.unwrap_err().to_string();
    assert!(error.contains("an HTML page (\"Sign in\")") && !error.contains("secret"), "{error}");
    assert_eq!(service.posts().len(), 1, "nobody mends that by trying again");
    let rocket = Service::start(&[Answer::Status(200, "", r#"{"success":true}"#)]).await;
    let channel = Channel::Slack(Destination::Business);
    let taken = only(rocket.url()).send_once(channel, &Notice::Test, &NoticeId::random().unwrap()).await;
    assert_eq!(taken, Ok(Taken::Json));
}

/// As metabase#7409 asks: who refuses is reported to who does not.
#[tokio::test]
async fn a_destination_that_refuses_is_reported_to_the_others_once() {
    let archived = Answer::Status(410, "", "channel_is_archived");
    let business = Service::start(Box::leak(Box::new([archived, archived, OK, archived]))).await;
    let (ops, other) = (Service::start(&[OK]).await, Service::start(&[OK]).await);
    let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let webhook = Webhook { url: other.url(), secret };
    let notifier =
        Notifier::with(slack(Some(business.url()), Some(ops.url())), Some(webhook), Manner::default(), QUICK).unwrap();
    let channel = Channel::Slack(Destination::Business);
    let refuse = async || {
        let error = notifier.send_to(channel, &Notice::Test).await.unwrap_err();
        assert!(error.is_permanent() && !error.may_pass(), "{error:?}");
        notifier.tell_others(channel, &error).await;
        (ops.posts().len(), other.posts().len())
    };
    assert_eq!(refuse().await, (1, 1));
    assert!(ops.posts()[0].contains("channel_is_archived") && other.posts()[0].contains("notices.refused"));
    assert_eq!(refuse().await, (1, 1), "once");
    notifier.send_to(channel, &Notice::Test).await.unwrap();
    assert_eq!(refuse().await, (2, 2), "again after it took one");
}
