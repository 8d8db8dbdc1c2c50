//! What is accepted comes back as signed events with the right ids.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use sendgrid_events::{Batch, Item, PublicKey, signature::Signature};
use sendgrid_simulator::bulk::Outcome;
use sendgrid_simulator::delivery::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use sendgrid_simulator::fate::{Fate, Mix};
use sendgrid_simulator::mail_api::Webhook;
use sendgrid_simulator::{Retry, Signer, Target};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::{NOW, message_to, post, sound_api};

const SOON: Duration = Duration::from_secs(20);

type Posts = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Keeps what is posted; answers the first POST with `first`, the others with 200.
async fn receiver(first: u16) -> (Target, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}/event", listener.local_addr().expect("bound"));
    let posts = Posts::default();
    let kept = Arc::clone(&posts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let posts = Arc::clone(&kept);
            let service = service_fn(move |request: Request<Incoming>| {
                let posts = Arc::clone(&posts);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.expect("a whole body").to_bytes();
                    let mut posts = posts.lock().expect("no panic before");
                    posts.push((head.headers, body));
                    let status = if posts.len() == 1 { first } else { 200 };
                    Ok::<_, Infallible>(
                        Response::builder().status(status).body(Full::<Bytes>::default()).expect("valid"),
                    )
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (Target::parse(&url).expect("a Post URL"), posts)
}

fn webhook(target: Target) -> (Webhook, PublicKey) {
    let signer = Arc::new(Signer::generate().expect("randomness"));
    let key = PublicKey::parse(signer.public_key()).expect("SendGrid's form");
    let mut webhook = Webhook::new(target, signer);
    webhook.delivery.retry = Some(Retry { base: Duration::from_millis(2), cap: Duration::from_millis(20) });
    webhook.gather = Duration::from_millis(5);
    (webhook, key)
}

#[tokio::test]
async fn each_fate_is_told_with_the_ids_of_its_mail() {
    let (target, posts) = receiver(503).await;
    let (webhook, key) = webhook(target);
    let api = sound_api().await;
    let events = api.deliver_events(webhook, |mail| match mail.address.split('@').next() {
        Some("deferred") => Fate::DeferredThenDelivered,
        Some("bounce") => Fate::Bounce,
        Some("blocked") => Fate::Blocked,
        Some("dropped") => Fate::Dropped,
        _ => Fate::Delivered,
    });
    let names = ["delivered", "deferred", "bounce", "blocked", "dropped"];
    for (run, order) in [("spring", names.to_vec()), ("summer", names.into_iter().rev().collect())] {
        let addresses: Vec<String> = order.iter().map(|name| format!("{name}@{run}.example.com")).collect();
        let mut message = message_to(addresses.iter().map(String::as_str));
        message["categories"] = json!([run, "all"]);
        message["custom_args"] = json!({"mailtrail_run": run});
        for (place, personalization) in
            message["personalizations"].as_array_mut().expect("a list").iter_mut().enumerate()
        {
            personalization["custom_args"] = json!({"mailtrail_recipient": format!("{run}-{place}")});
        }
        assert_eq!(post(&api, &message).await.status, 202);
    }
    let told = timeout(SOON, events.finish()).await.expect("in time").expect("delivered");

    assert!(told.report.complete() && told.report.retries >= 1, "a 503 is tried again");
    assert_eq!(told.report.acknowledged, told.story.keys());
    let mails: BTreeMap<String, _> = api.mails().into_iter().map(|mail| (mail.address.clone(), mail)).collect();
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let posts = posts.lock().expect("no panic before").clone();
    for (headers, body) in &posts[1..] {
        let header = |name: &str| headers[name].to_str().expect("text");
        let signature = Signature::parse(header(SIGNATURE_HEADER), header(TIMESTAMP_HEADER)).expect("well formed");
        signature.verify(std::slice::from_ref(&key), body).expect("signed by the key");
        assert!((NOW..NOW + 60).contains(&signature.signed_at()));
        for item in Batch::parse(body).items {
            let Item::Event(event) = item else { panic!("{item:?}") };
            let address = event.email.as_deref().expect("of mail");
            let mail = &mails[address];
            let id = event.sg_message_id.as_deref().expect("has one");
            assert_eq!(id.split('.').next(), Some(mail.message_id.as_str()));
            assert!(id.ends_with(&format!(".{}", mail.recipient)), "{id}");
            assert_eq!(event.category, mail.categories);
            for (name, value) in &mail.custom_args {
                let arg = event.custom_args.iter().find(|(key, _)| key == name);
                assert_eq!(arg.and_then(|(_, text)| text.as_str()), Some(value.as_str()), "{name}");
            }
            let second = event.timestamp.as_micros() / 1_000_000;
            assert!((mail.accepted..mail.accepted + 10).contains(&second), "{second}");
            seen.entry(address.to_owned()).or_default().push(event.event.to_string());
        }
    }
    assert_eq!(seen.len(), 10);
    for (address, names) in &seen {
        let ends = match address.split('@').next() {
            Some("deferred") => &["processed", "deferred", "delivered"][..],
            Some("bounce" | "blocked") => &["processed", "bounce"],
            Some("dropped") => &["dropped"],
            _ => &["processed", "delivered"],
        };
        assert!(ends.iter().all(|name| names.iter().any(|seen| seen == name)), "{address}: {names:?}");
    }
    assert_eq!(told.story.count(Outcome::Delivered), 4);
    assert_eq!(told.story.count(Outcome::Blocked), 2);
    api.stop().await;
}

#[tokio::test]
async fn a_thousand_recipients_are_told_by_a_seeded_mix_and_in_few_posts() {
    let (target, posts) = receiver(200).await;
    let (webhook, _key) = webhook(target);
    let api = sound_api().await;
    let events = api.deliver_events(webhook, |mail| Mix::default().of(&mail.address, 42));
    let addresses: Vec<String> = (0..1000).map(|n| format!("p{n}@example.com")).collect();
    for part in addresses.chunks(250) {
        post(&api, &message_to(part.iter().map(String::as_str))).await;
    }
    let told = timeout(SOON, events.finish()).await.expect("in time").expect("delivered");
    assert_eq!((told.story.outcomes.len(), told.report.complete()), (1000, true));
    assert_eq!(told.report.acknowledged, told.story.keys());
    assert_eq!(told.story.events.len(), told.story.keys().len(), "an event twice");
    for outcome in [Outcome::Delivered, Outcome::Deferred, Outcome::Bounce, Outcome::Blocked, Outcome::Dropped] {
        assert!(told.story.count(outcome) > 0, "{outcome:?}");
    }
    let posts = posts.lock().expect("no panic before").len();
    assert!(posts < 20 && posts == told.report.posts, "{posts}");
    api.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_a_receiver_that_is_away() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    let (webhook, _key) = webhook(Target::parse(&format!("http://{free}/event")).expect("a Post URL"));
    let api = sound_api().await;
    let events = api.deliver_events(webhook, |_| Fate::Delivered);
    post(&api, &message_to(["a@example.com"])).await;
    timeout(SOON, api.stop()).await.expect("stops");
    let told = timeout(SOON, events.finish()).await.expect("ends").expect("no error");
    assert!(told.report.acknowledged.is_empty());
}
