//! A follower on a real trail, telling a service on loopback.

use std::future::Future;

use super::*;
use crate::config::{Language, Slack, Watched, Webhook, WebhookSecret};
use crate::follow::alert::rule::tests::alert;
use crate::follow::alert::source::OfTrail;
use crate::notify::testing::{Answer, OK, Service};
use crate::notify::{Manner, Patience};
use crate::protect::BatchRow;
use crate::stop;
use crate::store::sqlite::{Reader, Trail};
use crate::store::testing::{batch, encode, plain_seal};
use crate::store::{Paths, Places};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Fixture {
    _folder: tempfile::TempDir,
    paths: Paths,
    trail: Trail,
    next: u64,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().join("mail.db"));
        let trail = Trail::open(paths.trail()).unwrap();
        Self { _folder: folder, paths, trail, next: 0 }
    }

    /// Stores events, all different.
    fn store(&mut self, count: u64, event: &str, verified_by: &str) {
        let mut rows: BatchRow<String> = batch(self.next..self.next + count);
        self.next += count;
        rows.verified_by = Some(verified_by.to_owned());
        rows.received_at = clock::now_micros();
        for row in &mut rows.events {
            row.event = event.to_owned();
            row.category = vec!["news".into()];
        }
        self.trail.append(&[encode(rows)], &plain_seal).unwrap();
    }

    async fn follower(&self, service: &Service, rules: &[Alert]) -> Follower<OfTrail> {
        self.follower_with(service, None, rules).await
    }

    async fn follower_with(&self, service: &Service, webhook: Option<&Service>, rules: &[Alert]) -> Follower<OfTrail> {
        let slack = Slack {
            business: Some(service.url()),
            ops: Some(service.url()),
            language: Language::English,
            reasons: false,
        };
        let webhook = webhook.map(|to| Webhook {
            url: to.url(),
            secret: WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(),
        });
        let notifier = Notifier::with(slack, webhook, Manner::default(), Patience::COMMAND).unwrap();
        let (reader, places) = (Reader::open(&self.paths).unwrap(), Places::open(&self.paths).unwrap());
        Follower::new(rules, OfTrail::new(reader, places), notifier).await.unwrap()
    }
}

fn quick(alert: Alert) -> Alert {
    Alert { group: Duration::from_millis(20), every: Duration::from_millis(20), ..alert }
}

fn bounces() -> Alert {
    quick(alert(&["bounce"], &[]))
}

/// Runs a follower until `until` has come true, and stops it.
async fn run(mut follower: Follower<OfTrail>, until: impl Future<Output = ()>) {
    let (stopper, stopped) = stop::channel();
    let work = follower.run(stopped);
    let control = async {
        tokio::time::timeout(PATIENCE, until).await.expect("what was waited for did not come");
        stopper.stop();
    };
    let (ended, ()) = tokio::join!(work, control);
    ended.unwrap();
}

async fn posts(service: &Service, count: usize) {
    while service.posts().len() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Events that a post of the service speaks of.
fn told(post: &str) -> u64 {
    let (_, body) = post.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = json["text"].as_str().unwrap();
    text.split_whitespace().find_map(|word| word.replace(',', "").parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[tokio::test]
async fn a_new_rule_begins_at_the_end_and_tells_of_what_comes() {
    let mut fixture = Fixture::new();
    fixture.store(50, "bounce", "real");
    let service = Service::start(&[OK]).await;
    let follower = fixture.follower(&service, &[bounces()]).await;
    fixture.store(7, "bounce", "real");
    fixture.store(9, "delivered", "real");
    fixture.store(11, "bounce", "test");
    run(follower, posts(&service, 1)).await;
    assert_eq!(service.posts().iter().map(|post| told(post)).collect::<Vec<_>>(), [7]);

    // Told once: the place was saved.
    fixture.store(3, "bounce", "real");
    run(fixture.follower(&service, &[bounces()]).await, posts(&service, 2)).await;
    assert_eq!(told(&service.posts()[1]), 3);
}

#[tokio::test]
async fn what_nobody_took_is_told_after_the_next_start() {
    let mut fixture = Fixture::new();
    let failing = Service::start(&[Answer::Status(503, "", "")]).await;
    let follower = fixture.follower(&failing, &[bounces()]).await;
    fixture.store(40, "bounce", "real");
    run(follower, posts(&failing, 1)).await;

    let service = Service::start(&[Answer::Status(500, "", ""), Answer::Cut, OK]).await;
    fixture.store(2, "bounce", "real");
    run(fixture.follower(&service, &[bounces()]).await, posts(&service, 3)).await;
    assert!(service.posts().iter().all(|post| told(post) == 42), "the same message is repeated until it is taken");

    // Told now; a rule that is new meanwhile does not tell of it either.
    let other = Alert { name: "other".into(), ..bounces() };
    let quiet = Service::start(&[OK]).await;
    let follower = fixture.follower(&quiet, &[bounces(), other]).await;
    fixture.store(1, "bounce", "real");
    run(follower, posts(&quiet, 2)).await;
    assert!(quiet.posts().iter().all(|post| told(post) == 1));
}

#[tokio::test]
async fn while_nobody_takes_it_more_is_counted() {
    let mut fixture = Fixture::new();
    let service = Service::start(&[Answer::Status(429, "retry-after: 1\r\n", ""), OK]).await;
    let follower = fixture.follower(&service, &[bounces()]).await;
    fixture.store(10, "bounce", "real");
    let told_in_all = || service.posts().iter().map(|post| told(post)).collect::<Vec<_>>();
    let more = async {
        posts(&service, 1).await;
        // More than a page.
        fixture.store(6000, "bounce", "real");
        while told_in_all().iter().sum::<u64>() < 6020 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    run(follower, more).await;
    let told = told_in_all();
    assert_eq!((&told[..2], told.iter().sum()), (&[10, 10][..], 6020));
    assert!(told.len() <= 4, "{told:?}");
}

#[tokio::test]
async fn silence_is_told_and_its_end() {
    let mut fixture = Fixture::new();
    let service = Service::start(&[OK]).await;
    let silence = |name: &str, alert: Alert| Alert {
        name: name.into(),
        silence: Some(Duration::from_millis(300)),
        ..quick(alert)
    };
    let any = silence("any", alert(&[], &[]));
    let of_category = silence("news", Alert { category: Some("news".into()), ..alert(&[], &[]) });
    let of_other = silence("other", Alert { category: Some("other".into()), ..alert(&[], &[]) });
    let rules = [any, of_category, of_other];
    run(fixture.follower(&service, &rules).await, posts(&service, 3)).await;
    assert!(service.posts().iter().all(|post| post.contains("No events are coming in")));

    // After a restart it is not told again, but its end is.
    let follower = fixture.follower(&service, &rules).await;
    fixture.store(1, "open", "test");
    let more = async {
        // A test is no sign of life.
        tokio::time::sleep(TICK * 3).await;
        assert_eq!(service.posts().len(), 3);
        fixture.store(1, "open", "real");
        posts(&service, 5).await;
    };
    run(follower, more).await;
    let over = |name: &str| {
        let mut over = service.posts().into_iter().skip(3).filter(|post| post.contains("coming in again"));
        over.any(|post| post.contains(&format!("again: {name}")))
    };
    assert!(over("any") && over("news") && !over("other"));
}

#[tokio::test]
async fn another_trail_is_followed_from_its_end() {
    let mut fixture = Fixture::new();
    let service = Service::start(&[OK]).await;
    Places::open(&fixture.paths).unwrap().save([("alert/rule", Some(1_000_000)), ("alert/gone", Some(3))]).unwrap();
    fixture.store(5, "bounce", "real");
    let rule = Alert { watched: Watched { events: vec!["bounce".into()], statuses: vec![] }, ..bounces() };
    let follower = fixture.follower(&service, &[rule]).await;
    fixture.store(2, "bounce", "real");
    run(follower, posts(&service, 1)).await;
    assert_eq!(told(&service.posts()[0]), 2);
    assert_eq!(Places::open(&fixture.paths).unwrap().get("alert/gone").unwrap(), None, "of a rule that is no more");
}

/// Events that the posts of a webhook speak of, by the types of notices.
fn heard(service: &Service, kind: &str) -> Vec<serde_json::Value> {
    let posts = service.posts();
    let bodies = posts.iter().map(|post| serde_json::from_str(post.split_once("\r\n\r\n").unwrap().1).unwrap());
    bodies.filter(|body: &serde_json::Value| body["type"] == kind).map(|body| body["data"].clone()).collect()
}

/// As metabase#7409: with Slack gone for good or for now, the webhook of the same rule gets every message.
#[tokio::test]
async fn a_destination_that_takes_nothing_does_not_hold_up_the_other() {
    for (answer, is_permanent) in [
        (Answer::Status(410, "", "channel_is_archived"), true),
        (Answer::Status(403, "", "invalid_token"), true),
        (Answer::Status(503, "retry-after: 3000\r\n", ""), false),
    ] {
        let mut fixture = Fixture::new();
        let dead = Service::start(Box::leak(Box::new([answer]))).await;
        let webhook = Service::start(&[OK]).await;
        let follower = fixture.follower_with(&dead, Some(&webhook), &[bounces()]).await;
        fixture.store(3, "bounce", "real");
        let more = async {
            posts(&dead, 1).await;
            for (round, count) in [(1, 3), (2, 5), (3, 2)] {
                while heard(&webhook, "alert").len() < round {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                assert_eq!(heard(&webhook, "alert")[round - 1]["total"], count);
                if round < 3 {
                    fixture.store(if round == 1 { 5 } else { 2 }, "bounce", "real");
                }
            }
            while is_permanent && (heard(&webhook, "notices.refused").is_empty() || dead.posts().len() < 3) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        run(follower, more).await;
        let reported = heard(&webhook, "notices.refused");
        assert_eq!(reported.len(), usize::from(is_permanent));
        assert_eq!(dead.posts().len(), if is_permanent { 3 } else { 1 }, "each message once");
        // What was refused for good is not repeated after a start; what was put off is.
        let slack = Service::start(&[OK]).await;
        fixture.store(1, "bounce", "real");
        run(fixture.follower_with(&slack, Some(&webhook), &[bounces()]).await, posts(&slack, 1)).await;
        assert_eq!(told(&slack.posts()[0]), if is_permanent { 1 } else { 11 });
    }
}

/// A place that a version saved for all destinations of a rule counts for each of them.
#[tokio::test]
async fn a_place_of_an_earlier_version_is_gone_on_from() {
    let mut fixture = Fixture::new();
    fixture.store(5, "bounce", "real");
    Places::open(&fixture.paths).unwrap().save([("alert/rule", Some(2))]).unwrap();
    let (slack, webhook) = (Service::start(&[OK]).await, Service::start(&[OK]).await);
    let both = async {
        posts(&slack, 1).await;
        posts(&webhook, 1).await;
    };
    run(fixture.follower_with(&slack, Some(&webhook), &[bounces()]).await, both).await;
    assert_eq!((told(&slack.posts()[0]), &heard(&webhook, "alert")[0]["total"]), (3, &3.into()));
    assert_eq!(Places::open(&fixture.paths).unwrap().get("alert/rule").unwrap(), None);
}
