//! Each alarm reaches Slack and the signed webhook when it should: once, and once more when it is over. A calm receiver with the
//! same thresholds is silent.

use std::time::{Duration, Instant};

use mailtrail::config::WebhookSecret;
use mailtrail::notify::webhook::signature;

use crate::alert::{Slack, json};
use crate::concern::with_certificate;
use crate::disk::Tmpfs;
use crate::support::{Running, Site, basic, batch, event, now, request, wait_for};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Everybody who is told.
struct Ears {
    slack: Slack,
    hook: Slack,
}

impl Ears {
    fn new() -> Self {
        Self { slack: Slack::start(), hook: Slack::start() }
    }

    /// The sections that make a site tell them, looking often.
    fn sections(&self, watch: &str) -> String {
        format!(
            "[slack]\nwebhook_url = \"{}\"\n[webhook]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n[watch]\nevery = \"50ms\"\n{watch}\n",
            self.slack.url, self.hook.url
        )
    }

    /// The types of all notices so far, in their order; each signed, for the operators, and without an address.
    fn heard(&self) -> Vec<String> {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        let mut types = Vec::new();
        for post in self.hook.posts(200) {
            let (head, body) = post.split_once("\r\n\r\n").unwrap();
            let header = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_else(|| panic!("no {name} in {head}")).trim().to_owned()
            };
            let made = signature(&secret, &header("webhook-id"), header("webhook-timestamp").parse().unwrap(), body);
            assert_eq!(made, header("webhook-signature"));
            let notice = json(&post);
            assert_eq!(notice["destination"], "ops", "{notice}");
            assert!(!body.contains('@'), "{body}");
            types.push(notice["type"].as_str().unwrap().to_owned());
        }
        types
    }

    /// Waits until both have heard exactly these, in this order.
    fn await_exactly(&self, expected: &[&str]) {
        wait_for(&format!("{expected:?}"), || {
            self.heard().len() >= expected.len() && self.slack.posts(200).len() >= expected.len()
        });
        assert_eq!(self.heard(), expected);
        let shown = self.slack.posts(200);
        assert_eq!(shown.len(), expected.len(), "{shown:?}");
        for (post, kind) in shown.iter().zip(expected) {
            let header = json(post)["blocks"][0]["text"]["text"].as_str().unwrap().to_owned();
            assert_eq!(header.starts_with('✅'), kind.ends_with(".over"), "{header}");
        }
    }
}

fn body(n: usize) -> Vec<u8> {
    batch(&[event(&format!("a{n}"), "jane@example.com", "delivered", now())])
}

fn post_signed_at(server: &Running, site: &Site, timestamp: i64, n: usize) -> u16 {
    let body = body(n);
    request(server.address, "POST", "/event", &site.headers_signed_at(timestamp, &body), &body).unwrap().0
}

/// Thresholds far tighter than the usual ones, all of them shorter than the test, and a receiver that works: nobody is told.
#[test]
fn a_calm_receiver_is_silent() {
    let (ears, consumer) = (Ears::new(), crate::relay::consumer::Consumer::start());
    let watch = "refusals = \"2s\"\nclock = \"2s\"\ncertificate = \"14d\"\nbacklog = \"3s\"\nrelay = \"4s\"\ndisk_free = \"1MiB\"\n\
                 [[alert]]\nsilence = \"3s\"\n";
    let relay = format!("[[relay]]\nname = \"one\"\nurl = \"{}\"\n", consumer.url());
    let site = Site::with(&format!("{}{relay}", ears.sections(watch)));
    let server = site.serve();
    let until = Instant::now() + Duration::from_secs(6);
    for n in 0.. {
        if Instant::now() > until {
            break;
        }
        assert_eq!(server.post(&site, &body(n)).0, 200);
        // Repetitions are old, and now and then somebody knocks who may not come in: neither is an alarm.
        assert_eq!(post_signed_at(&server, &site, now() - 3600, n), 200);
        assert_eq!(request(server.address, "POST", "/event", &[basic("who:ever")], b"").unwrap().0, 401);
    }
    assert_eq!(server.metric("mailtrail_concern"), 0.0);
    server.stop();
    assert_eq!((ears.heard(), ears.slack.posts(200)), (vec![], vec![]));
}

#[test]
fn silence_is_told_and_its_end() {
    let ears = Ears::new();
    let site = Site::with(&ears.sections("[[alert]]\nname = \"quiet\"\nsilence = \"1s\"\n"));
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    ears.await_exactly(&["silence"]);
    assert_eq!(server.post(&site, &body(1)).0, 200);
    ears.await_exactly(&["silence", "silence.over"]);
    server.stop();
}

#[test]
fn refused_posts_are_told_and_the_first_that_is_accepted() {
    let ears = Ears::new();
    let site = Site::with(&ears.sections("refusals = \"300ms\""));
    let server = site.serve();
    let refuse = || {
        let mut headers = site.honest_headers(&body(0));
        headers[0] = basic("sendgrid:wrong");
        assert_eq!(request(server.address, "POST", "/event", &headers, &body(0)).unwrap().0, 401);
    };
    (0..3).for_each(|_| refuse());
    ears.await_exactly(&["refusals"]);
    let data = &json(&ears.hook.posts(200)[0])["data"];
    assert_eq!((&data["reason"], &data["proven"]), (&serde_json::json!("basic_wrong"), &serde_json::json!(false)));
    // Anybody can send a wrong password.
    assert_eq!(server.metric("mailtrail_refusing_everything"), 0.0);
    assert_eq!(server.metric("mailtrail_refusing_unproven"), 1.0);
    let doctor = || String::from_utf8(site.command(&["doctor"]).output().unwrap().stdout).unwrap();
    // `doctor` asks where the configuration says.
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    let metrics = format!("[metrics]\nlisten = \"{}\"", server.metrics);
    site.write_secret("mailtrail.toml", &config.replace("[metrics]\nlisten = \"127.0.0.1:0\"", &metrics));
    assert!(doctor().contains("posts are refused and none has been accepted"), "{}", doctor());
    assert!(doctor().contains("nothing proves who sent them"), "{}", doctor());
    // Further ones are no further notice.
    (0..20).for_each(|_| refuse());
    assert_eq!(server.post(&site, &body(1)).0, 200);
    ears.await_exactly(&["refusals", "refusals.over"]);
    assert!(!doctor().contains("none has been accepted"));
    let log = server.stop();
    assert!(log.contains("none is accepted") && log.contains("a stranger's") && log.contains("24 hours"), "{log}");
}

#[test]
fn posts_with_the_right_password_and_a_wrong_signature_are_an_alarm_about_sendgrid() {
    let ears = Ears::new();
    let site = Site::with(&ears.sections("refusals = \"300ms\""));
    let server = site.serve();
    let stranger = Site::new();
    for _ in 0..3 {
        let refused = request(server.address, "POST", "/event", &stranger.honest_headers(&body(0)), &body(0));
        assert_eq!(refused.unwrap().0, 401);
    }
    ears.await_exactly(&["refusals"]);
    assert_eq!(json(&ears.hook.posts(200)[0])["data"]["proven"], true);
    assert_eq!(server.metric("mailtrail_refusing_everything"), 1.0);
    let log = server.stop();
    assert!(log.contains("no POST is being accepted") && log.contains("compare [receive] public_keys"), "{log}");
}

#[test]
fn a_clock_that_is_wrong_either_way_is_told_and_when_it_is_right() {
    let ears = Ears::new();
    let site = Site::with(&ears.sections("clock = \"300ms\""));
    let server = site.serve();
    assert_eq!(post_signed_at(&server, &site, now() + 120, 0), 200);
    ears.await_exactly(&["clock"]);
    assert_eq!(json(&ears.hook.posts(200)[0])["data"]["behind"], true);
    assert_eq!(server.post(&site, &body(1)).0, 200);
    ears.await_exactly(&["clock", "clock.over"]);
    // Ahead: not by one old signature, which may be a repetition, but by nothing else for a while.
    let mut n = 2;
    wait_for("the clock to be told", || {
        assert_eq!(post_signed_at(&server, &site, now() - 600, n), 200);
        n += 1;
        ears.heard().len() == 3
    });
    ears.await_exactly(&["clock", "clock.over", "clock"]);
    assert_eq!(json(&ears.hook.posts(200)[2])["data"]["behind"], false);
    assert!(n > 4, "{n}");
    assert_eq!(server.post(&site, &body(1)).0, 200);
    ears.await_exactly(&["clock", "clock.over", "clock", "clock.over"]);
    server.stop();
}

#[test]
fn a_certificate_is_told_when_it_ends_soon_or_is_refused_and_when_it_is_renewed() {
    let ears = Ears::new();
    let site = Site::with(&format!("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n{}", ears.sections("")));
    with_certificate(&site, 5);
    let server = site.serve();
    ears.await_exactly(&["certificate"]);
    let reload = || server.signal(rustix::process::Signal::HUP);
    with_certificate(&site, 1);
    reload();
    // It got worse: told again.
    ears.await_exactly(&["certificate", "certificate"]);
    with_certificate(&site, 100);
    reload();
    ears.await_exactly(&["certificate", "certificate", "certificate.over"]);
    // The next renewal cannot be used: told once, however often it is read.
    site.write_secret("cert.pem", "nonsense");
    reload();
    ears.await_exactly(&["certificate", "certificate", "certificate.over", "certificate"]);
    reload();
    with_certificate(&site, 100);
    reload();
    ears.await_exactly(&["certificate", "certificate", "certificate.over", "certificate", "certificate.over"]);
    server.stop();
}

#[test]
fn events_that_wait_to_be_stored_are_told_and_when_they_are_stored() {
    let ears = Ears::new();
    let site = Site::with(&ears.sections("backlog = \"500ms\""));
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    server.wait_drained();
    let hold = rusqlite::Connection::open(site.path().join("mailtrail.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(server.post(&site, &body(1)).0, 200);
    ears.await_exactly(&["backlog"]);
    hold.execute_batch("ROLLBACK").unwrap();
    ears.await_exactly(&["backlog", "backlog.over"]);
    server.stop();
}

#[test]
fn a_consumer_that_gets_nothing_is_told_and_when_it_does() {
    let ears = Ears::new();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = format!("[[relay]]\nname = \"down\"\nurl = \"http://{address}/sendgrid?source=mailtrail\"\n");
    let site = Site::with(&format!("{}{relay}", ears.sections("relay = \"500ms\"")));
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    ears.await_exactly(&["relay"]);
    assert_eq!(json(&ears.hook.posts(200)[0])["data"]["waiting"], 1);
    let consumer = crate::relay::consumer::Consumer::start_at(address);
    ears.await_exactly(&["relay", "relay.over"]);
    assert_eq!(consumer.taken().len(), 1);
    server.stop();
}

#[test]
fn a_disk_is_told_when_little_is_free_and_when_there_is_room_again() {
    let ears = Ears::new();
    let site = Site::with(&ears.sections("disk_free = \"20MiB\""));
    let folder = site.path().join("small");
    let Some(_mounted) = Tmpfs::mount(&folder, "64m") else { return };
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    site.write_secret("mailtrail.toml", &config.replace("\"mailtrail.db\"", "\"small/mailtrail.db\""));
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    let filler = folder.join("filler");
    std::fs::write(&filler, vec![0; 50 << 20]).unwrap();
    ears.await_exactly(&["disk"]);
    let free = json(&ears.hook.posts(200)[0])["data"]["free_bytes"].as_u64().unwrap();
    assert!(free < 20 << 20, "{free}");
    std::fs::remove_file(&filler).unwrap();
    ears.await_exactly(&["disk", "disk.over"]);
    server.stop();
}

/// Growth is what came in over days: a trail that looks as if it had been there for two.
#[test]
fn a_disk_that_will_be_full_is_told_by_how_the_trail_grows() {
    for (soon, expected) in [("2000000d", vec!["disk"]), ("1m", vec![])] {
        let ears = Ears::new();
        let site = Site::with(&ears.sections(&format!("disk = \"{soon}\"\ndisk_free = \"1B\"")));
        let server = site.serve();
        let events: Vec<String> =
            (0..500).map(|n| event(&format!("g{n}"), &format!("g{n}@example.com"), "delivered", now())).collect();
        assert_eq!(server.post(&site, &batch(&events)).0, 200);
        server.wait_drained();
        assert_eq!(server.metric("mailtrail_growth_bytes_per_day"), 0.0, "an hour says nothing");
        server.stop();
        let trail = rusqlite::Connection::open(site.path().join("mailtrail.db")).unwrap();
        let two_days = 2 * 86_400 * 1_000_000_i64;
        trail.execute("UPDATE event SET received_at = received_at - ?1 WHERE id <= 250", [two_days]).unwrap();
        drop(trail);
        let server = site.serve();
        wait_for("a look", || server.metric("mailtrail_growth_bytes_per_day") > 0.0);
        if expected.is_empty() {
            assert_eq!(server.metric("mailtrail_concern"), 0.0);
        } else {
            ears.await_exactly(&expected);
            assert!(json(&ears.hook.posts(200)[0])["data"]["left_s"].as_u64().unwrap() > 0);
        }
        server.stop();
        assert_eq!(ears.heard(), expected);
    }
}
