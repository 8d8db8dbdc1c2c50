//! The trail held against SendGrid's Email Logs, which the simulator plays: what was withheld is repaired, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sendgrid_simulator::mail_api::{Fault, Logged, MailApi, Options};
use sendgrid_simulator::plan::{Plan, Shape};
use sendgrid_simulator::{Delivery, Event, EventKey, Message, Random, Target};
use tokio::runtime::Runtime;

use crate::support::{CREDENTIALS, Running, Site, now, wait_for};

const KEY: &str = "SG.full-access";
const SUBJECT: &str = "Very secret subject";
/// So many messages; `RECONCILE_MESSAGES=100000` asks for more than a test should take.
const MESSAGES: usize = 20_000;

#[expect(clippy::disallowed_methods, reason = "how large the test is, no configuration")]
fn messages() -> usize {
    std::env::var("RECONCILE_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(MESSAGES)
}

/// What SendGrid knows, and what it posted of it.
struct Mail {
    logged: Vec<Logged>,
    posted: Vec<Event>,
    withheld: BTreeSet<EventKey>,
}

/// Messages over two days, a tenth of them within one second. Of their events one in a hundred is withheld.
fn mail(count: usize) -> Mail {
    let mut random = Random::new(42);
    let end_ms = (now() - 3600) * 1000;
    let (mut logged, mut posted, mut withheld) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut number = 0;
    for place in 0..count {
        let spread = i64::try_from(place * 172_800_000 / count).unwrap();
        let burst = i64::try_from(place % 1000).unwrap();
        let created_ms = if place % 10 == 0 { end_ms - 86_400_000 + burst } else { end_ms - spread };
        let at = created_ms.div_euclid(1000);
        let mut message = Message::new(&mut random, &format!("person{place}@example.com"), at);
        message.categories = vec!["news".to_owned()];
        message.custom_args = vec![("mailtrail_run".to_owned(), "spring".to_owned())];
        let sent = message.processed(at);
        let events = match place % 50 {
            0 => vec![sent, message.bounce(at + 1, &mut random)],
            1 => vec![sent, message.blocked(at + 1, &mut random)],
            2 => vec![message.dropped(at, &mut random)],
            3 => vec![sent, message.deferred(at + 1, 0, &mut random)],
            4 => vec![sent],
            _ => vec![sent, message.delivered(at + 1, 0, &mut random)],
        };
        logged.push(Logged::new(&message, SUBJECT, created_ms, &events));
        for event in events {
            number += 1;
            if number % 100 == 17 {
                withheld.insert(event.key());
            } else {
                posted.push(event);
            }
        }
    }
    Mail { logged, posted, withheld }
}

struct Stage {
    runtime: Runtime,
    api: MailApi,
    site: Site,
}

impl Stage {
    fn new(plan: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options::new(KEY, now()).with_log_faults(plan);
        let api = runtime.block_on(MailApi::start(options)).unwrap();
        let mut site = Site::new();
        site.environment("MAILTRAIL_SENDGRID_HOST", &api.url());
        site.environment("MAILTRAIL_SENDGRID_API_KEY", KEY);
        Self { runtime, api, site }
    }

    fn post(&self, server: &Running, events: &[Event]) {
        let target = Target::parse(&format!("http://{CREDENTIALS}@{}/event", server.address)).unwrap();
        let delivery = Delivery { signer: Some(self.site.signer.clone()), ..Delivery::new(target) };
        let plan = Plan::new(events, &Shape::default());
        assert!(self.runtime.block_on(delivery.post(&plan, now())).unwrap().complete());
        server.wait_drained();
    }

    /// The keys of events in the trail that `verified_by` says so of.
    fn keys(&self, proof: &str) -> BTreeSet<EventKey> {
        let trail = self.site.trail();
        let text = format!("SELECT sg_event_id, event FROM sendgrid_event WHERE {proof}");
        let mut statement = trail.prepare(&text).unwrap();
        let rows = statement.query_map((), |row| Ok(EventKey { id: row.get(0)?, event: row.get(1)? })).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }
}

/// The number in front of a text.
fn said(told: &str, text: &str) -> usize {
    let (before, _) = told.split_once(text).unwrap_or_else(|| panic!("no {text:?} in {told}"));
    before.rsplit(['\n', ' ']).next().unwrap().parse().unwrap()
}

#[test]
fn what_was_withheld_is_repaired_and_nothing_else_whatever_interrupts_it() {
    let stall = Arc::new(AtomicUsize::new(usize::MAX));
    let stalled = Arc::clone(&stall);
    let stage = Stage::new(move |number| match number {
        number if number == stalled.load(Ordering::SeqCst) => Fault::TooMany { reset_after: Duration::from_secs(10) },
        3 => Fault::TooMany { reset_after: Duration::from_secs(1) },
        5 => Fault::Status500 { accepted: false },
        9 => Fault::CutBeforeAccepting,
        _ => Fault::None,
    });
    let Mail { logged, posted, withheld } = mail(messages());
    let count = logged.len();
    assert!(withheld.len() > count / 100);
    stage.api.log(logged);
    let server = stage.site.serve();
    stage.post(&server, &posted);

    let told = stage.site.ask(&["reconcile", "--since", "4d", "--dry-run"]);
    assert_eq!(said(&told, " messages looked at"), count);
    assert_eq!(said(&told, " events missing"), withheld.len());
    let requests = said(&told, " requests made");
    assert_eq!(requests, stage.api.log_requests());
    // A message whose event is missing costs one request; to see all of them, a few for each thousand, and the burst.
    let closer = said(&told, " messages were looked at more closely");
    assert!(requests < closer + count / 200 + 60, "{requests} requests, {closer} for details");
    assert!(stage.keys("verified_by = 'api'").is_empty(), "a dry run wrote");
    eprintln!(
        "{count} messages, {} events withheld: {requests} requests, {closer} of them for details",
        withheld.len()
    );

    // Killed on its way, beside a running serve; half-way it waits, so that it cannot be done before.
    stall.store(requests + requests / 2, Ordering::SeqCst);
    let saved = stage.site.path().join("mailtrail.reconcile.json");
    let mut child =
        stage.site.command(&["reconcile", "--since", "4d"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_for("a repair", || saved.exists() && !stage.keys("verified_by = 'api'").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    stall.store(usize::MAX, Ordering::SeqCst);
    let told = stage.site.ask(&["reconcile", "--resume"]);
    assert_eq!(said(&told, " messages looked at"), count, "windows were left out or seen twice");
    assert_eq!(stage.keys("verified_by = 'api'"), withheld);
    assert!(!saved.exists());
    server.stop();

    let told = stage.site.ask(&["reconcile", "--since", "4d"]);
    assert_eq!(said(&told, " events were missing and are added"), 0, "{told}");
    let all: BTreeSet<EventKey> = posted.iter().map(Event::key).chain(withheld).collect();
    assert_eq!(stage.keys("true"), all);
    let status = "SELECT count(*) FROM sendgrid_event WHERE run IS NOT 'spring' OR category <> '[\"news\"]'";
    assert_eq!(stage.site.trail().query_row(status, (), |row| row.get::<_, i64>(0)).unwrap(), 0);
    for entry in std::fs::read_dir(stage.site.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for never in [SUBJECT.as_bytes(), b"person17@example.com"] {
            assert!(memchr::memmem::find(&bytes, never).is_none(), "the subject or an address was written");
        }
    }
}

#[test]
fn without_serve_what_waits_in_the_spool_is_not_taken_for_missing() {
    let stage = Stage::new(|_| Fault::None);
    let Mail { logged, posted, withheld } = mail(300);
    stage.api.log(logged);
    let server = stage.site.serve();
    stage.post(&server, &posted[..200]);
    // The rest is acknowledged, and the process killed: it may stand in the spool alone.
    let target = Target::parse(&format!("http://{CREDENTIALS}@{}/event", server.address)).unwrap();
    let delivery = Delivery { signer: Some(stage.site.signer.clone()), ..Delivery::new(target) };
    let plan = Plan::new(&posted[200..], &Shape::default());
    assert!(stage.runtime.block_on(delivery.post(&plan, now())).unwrap().complete());
    server.kill();
    let told = stage.site.ask(&["reconcile", "--since", "3d", "--every-message"]);
    assert_eq!(said(&told, " events were missing and are added"), withheld.len(), "{told}");
    assert_eq!(said(&told, " requests made"), stage.api.log_requests());
    assert_eq!(stage.keys("verified_by = 'api'"), withheld);
}

/// A parent's key sees its subusers' messages one subuser at a time, by number.
#[test]
fn a_subusers_messages_are_looked_at_by_its_number() {
    let stage = Stage::new(|_| Fault::None);
    let Mail { logged, posted, withheld } = mail(1000);
    stage.api.log(logged.into_iter().map(|message| message.of_subuser("20223230")).collect());
    let server = stage.site.serve();
    stage.post(&server, &posted);
    assert_eq!(said(&stage.site.ask(&["reconcile", "--since", "4d"]), " messages looked at"), 0);
    let told = stage.site.ask(&["reconcile", "--since", "4d", "--subuser", "20223230"]);
    assert_eq!(said(&told, " messages looked at"), 1000);
    assert_eq!(said(&told, " events were missing and are added"), withheld.len(), "{told}");
    assert_eq!(stage.keys("verified_by = 'api'"), withheld);
    let by_name = stage.site.command(&["reconcile", "--since", "4d", "--subuser", "news"]).output().unwrap();
    assert_eq!(by_name.status.code(), Some(2));
    server.stop();
}

#[test]
fn what_makes_no_sense_is_said() {
    let stage = Stage::new(|_| Fault::None);
    for (args, text) in [
        (&["reconcile"][..], "--since"),
        (&["reconcile", "--resume"], "no reconciliation was interrupted"),
        (&["reconcile", "--since", "1m"], "last 10 minutes are left out"),
        (&["reconcile", "--since", "1d", "--until", "2d"], "nothing lies between"),
    ] {
        let output = stage.site.command(args).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(text), "{args:?}: {told}");
    }
    let output = stage.site.command(&["reconcile", "--since", "60d"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && told.contains("SendGrid keeps 30 days"), "{told}");
}
