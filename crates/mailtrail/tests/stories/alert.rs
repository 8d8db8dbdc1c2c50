//! `serve` tells Slack of bounces as they come in: grouped, at least once whatever happens, and never an address.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use sendgrid_simulator::event::body;
use sendgrid_simulator::{BulkMail, Event};

use crate::support::{Running, Site, now, wait_for};

/// A service that answers every POST with the status asked for, and remembers all of them.
pub struct Slack {
    pub url: String,
    status: Arc<AtomicU16>,
    posts: Arc<Mutex<Vec<(u16, String)>>>,
}

impl Slack {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/services/T0/B0/secretpath", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let posts = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::clone(&status), Arc::clone(&posts));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // A process that is killed in the middle of it has not posted.
                let Some(request) = request(&mut BufReader::new(&stream)) else { continue };
                let status = answer.load(Ordering::SeqCst);
                seen.lock().unwrap().push((status, request));
                let text = if status == 200 { "ok" } else { "no_service" };
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
                let _may_be_killed = stream.write_all(format!("{head}{text}").as_bytes());
            }
        });
        Self { url, status, posts }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub fn posts(&self, status: u16) -> Vec<String> {
        let posts = self.posts.lock().unwrap();
        let posted = posts.iter().filter(|(answered, post)| *answered == status && post.starts_with("POST "));
        posted.map(|(_, post)| post.clone()).collect()
    }

    /// Events that the messages it took speak of.
    fn told(&self) -> u64 {
        self.posts(200).iter().map(|post| events_of(post)).sum()
    }
}

fn request(stream: &mut impl BufRead) -> Option<String> {
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    text.push_str(&String::from_utf8(body).unwrap());
    Some(text)
}

pub fn json(post: &str) -> serde_json::Value {
    serde_json::from_str(post.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// How many events a message says there are.
fn events_of(post: &str) -> u64 {
    let text = json(post)["text"].as_str().unwrap().to_owned();
    text.split_whitespace().find_map(|word| word.replace(',', "").parse().ok()).unwrap()
}

fn is_bad(event: &Event) -> bool {
    matches!(event.name(), "bounce" | "dropped")
}

fn post_all(server: &Running, site: &Site, events: &[Event]) {
    for events in events.chunks(500) {
        let (status, answer) = server.post(site, &body(events));
        assert_eq!(status, 200, "{answer}");
    }
    server.wait_drained();
}

#[test]
fn bounces_are_told_in_groups_and_not_forgotten_in_a_kill() {
    let slack = Slack::start();
    let rules = "[[alert]]\nname = \"spring\"\ncategory = \"spring\"\ngroup = \"200ms\"\nevery = \"500ms\"\n\
                 [[alert]]\nname = \"other category\"\ncategory = \"autumn\"\ngroup = \"1ms\"";
    let site = Site::with(&format!("[slack]\nwebhook_url = \"{}\"\n{rules}", slack.url));
    let story = BulkMail::new("spring", 2000, now() - 3 * 86_400, 7).play();
    let (first, rest) = story.events.split_at(story.events.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let bad = |events: &[Event]| events.iter().filter(|event| is_bad(event)).count() as u64;
    assert!([first, second, third].iter().all(|part| bad(part) > 10), "too few bounces to tell of");

    let server = site.serve();
    post_all(&server, &site, first);
    wait_for("the first part to be told", || slack.told() >= bad(first));
    assert_eq!(server.metric("mailtrail_follow_lag_events") as i64, 0);
    assert!(server.metric("mailtrail_last_event_timestamp_seconds") >= (now() - 60) as f64);
    assert!(server.metric("mailtrail_alerts_total") >= 1.0);

    // Slack fails, and the process is killed while it tries.
    slack.answer(503);
    post_all(&server, &site, second);
    wait_for("a try that fails", || !slack.posts(503).is_empty());
    server.kill();
    assert_eq!(slack.told(), bad(first));

    slack.answer(200);
    let server = site.serve();
    wait_for("the second part to be told", || slack.told() >= bad(first) + bad(second));
    assert_eq!(slack.told(), bad(first) + bad(second), "once: no kill came between telling and saving");

    // Killed while bounces are being gathered: they may be told twice, and are never forgotten.
    post_all(&server, &site, third);
    server.kill();
    let server = site.serve();
    wait_for("the third part to be told", || slack.told() >= bad(&story.events));
    let log = server.stop();
    assert!(slack.told() <= bad(&story.events) + bad(third), "{} told", slack.told());
    let messages = slack.posts(200);
    assert!(messages.len() <= 12, "{} messages", messages.len());
    for message in &messages {
        assert!(json(message)["text"].as_str().unwrap().ends_with("to look at: spring"), "{message}");
    }

    // No address, whole or in part, and no secret in the log.
    let everything: String = slack.posts.lock().unwrap().iter().map(|(_, post)| post.as_str()).collect();
    assert!(everything.contains("Invalid Address") && !everything.contains('@'));
    for address in story.outcomes.keys() {
        let (local, _) = address.split_once('@').unwrap();
        assert!(!everything.contains(local), "{local}");
    }
    assert!(!log.contains("secretpath"), "{log}");
}

#[test]
fn a_test_notice_says_what_happened() {
    let slack = Slack::start();
    let run = |site: &Site, args: &[&str]| {
        let output = site.command(args).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains("secretpath"), "{text}");
        (output.status.code().unwrap(), text)
    };
    let (code, text) = run(&Site::new(), &["notify", "test"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("[slack] webhook_url"), "{text}");

    let ops = Slack::start();
    let site = Site::with(&format!(
        "[slack]\nlanguage = \"ja\"\nwebhook_url = \"{}\"\nops_webhook_url = \"{}\"",
        slack.url, ops.url
    ));
    assert_eq!(
        run(&site, &["notify", "test"]),
        (0, "ok: Slack took the test notice\nok: Slack (ops) took the test notice\n".into())
    );
    assert!(slack.posts(200)[0].contains("mailtrail のテスト通知") && ops.posts(200).len() == 1);
    ops.answer(404);
    let (code, text) = run(&site, &["notify", "test", "--to", "slack"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("did not reach Slack (ops): it was refused with HTTP status 404 (no_service)"), "{text}");
    assert_eq!(run(&site, &["notify", "test", "--to", "webhook"]).0, 2);
    for kind in ["settled", "timed-out", "interim", "quiet", "alert", "silence", "refusals", "test"] {
        let (code, text) = run(&site, &["notify", "preview", kind]);
        assert!(code == 0 && text.contains("\"blocks\""), "{text}");
    }
}

#[test]
fn doctor_tries_whether_notices_can_leave() {
    let slack = Slack::start();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = gone.local_addr().unwrap();
    drop(gone);
    let site = Site::with(&format!(
        "[slack]\nwebhook_url = \"{}\"\nops_webhook_url = \"http://{closed}/secretpath\"",
        slack.url
    ));
    let output = site.command(&["doctor"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let server = slack.url.split('/').nth(2).unwrap();
    assert!(said.contains(&format!("pass  notices        {server} can be reached")), "{said}");
    assert!(said.contains(&format!("warn  notices        {closed} cannot be reached")), "{said}");
    assert!(said.contains("SSL_CERT_FILE") && said.contains("HTTPS_PROXY") && !said.contains("secretpath"), "{said}");
    let requests = slack.posts.lock().unwrap().clone();
    assert!(requests.len() == 1 && requests[0].1.starts_with("HEAD / "), "no notice was posted: {requests:?}");
}
