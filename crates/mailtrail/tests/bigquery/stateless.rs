//! Receiving with nothing on this machine: 200 is BigQuery's word, and everything else is 503.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;

use crate::emulator::Emulator;
use crate::fake::{Fake, Reply};
use crate::hook::Hook;
use crate::support::{Client, Running, Site, batch, event, now, request, signed_headers, wait_for};
use crate::{point, run};

fn body(name: &str, events: usize) -> Vec<u8> {
    let events: Vec<String> = (0..events)
        .map(|n| event(&format!("{name}-{n}"), &format!("jane.{name}.{n}@example.com"), "delivered", now()))
        .collect();
    batch(&events)
}

fn files(site: &Site) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(site.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_200_means_that_bigquery_has_it_and_no_file_is_made() {
    let fake = Fake::start();
    let site = fake.stateless_site();
    let (well, told, _) = run(&site, &["doctor"]);
    assert!(well && told.contains("demo.mail.sendgrid_event is there and fits"), "{told}");
    let server = site.serve();
    let (status, answer) = server.post(&site, &body("a", 10));
    assert_eq!((status, answer.trim()), (200, r#"{"accepted":10,"quarantined":0}"#));
    assert_eq!(fake.column("sg_event_id").len(), 10, "there before the answer");
    assert_eq!(fake.column("email_hash").iter().filter(|hash| hash.len() == 64).count(), 10);

    // What cannot be read, and what BigQuery cannot stream, is kept beside; the 200 comes after both.
    let odd = format!(
        r#"[{{"no":"event"}},{{"email":"a@b.example","event":"open","timestamp":1300000000,"sg_event_id":"old"}},{}]"#,
        event("new", "a@b.example", "open", now())
    );
    let (status, answer) = server.post(&site, odd.as_bytes());
    assert_eq!((status, answer.trim()), (200, r#"{"accepted":2,"quarantined":1}"#));
    let aside = fake.aside();
    assert_eq!(aside.len(), 2, "{aside:?}");
    let refused = aside.iter().find(|row| row.contains_key("row")).unwrap();
    assert!(refused["row"][0].contains(r#""sg_event_id":"old""#) && refused["why"][0].contains("five years"));
    assert!(aside.iter().any(|row| row.contains_key("sealed") && row.contains_key("seal_key_id")));
    server.stop();
    assert_eq!(files(&site), ["mailtrail.key", "mailtrail.toml"]);
}

#[test]
fn what_bigquery_does_not_take_in_time_is_a_503_and_the_repetition_is_taken() {
    let fake = Fake::start();
    let mut site = fake.stateless_site();
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "600ms");
    let server = site.serve();
    fake.judge(|_, _| Reply::Status(Code::Unavailable));
    let post = |body: &[u8]| {
        let mut client = Client::connect(server.address);
        let mut head = b"POST /event HTTP/1.1\r\nHost: x\r\n".to_vec();
        for (name, value) in site.honest_headers(body) {
            head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(body);
        client.send(&head);
        client.answer().unwrap()
    };
    let begun = Instant::now();
    let (status, headers, _) = post(&body("a", 3));
    assert_eq!((status, headers.contains_key("retry-after")), (503, true));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let (ready, _) = request(server.address, "GET", "/readyz", &[], b"").unwrap();
    assert_eq!(ready, 503);
    fake.judge(|_, _| Reply::Silence);
    assert_eq!(post(&body("b", 3)).0, 503);
    // Taken, but the acknowledgement is lost: the sender repeats, and the key is the same.
    let first = AtomicBool::new(true);
    fake.judge(move |_, _| if first.swap(false, Ordering::Relaxed) { Reply::TakeAndCut } else { Reply::Take });
    let same = body("c", 3);
    let (status, ..) = post(&same);
    if status != 200 {
        assert_eq!(post(&same).0, 200);
    }
    assert_eq!(fake.unique("event_key").len(), 3);
    assert!(fake.column("event_key").len() >= 6, "it was sent again");
    let (ready, _) = request(server.address, "GET", "/readyz", &[], b"").unwrap();
    assert_eq!(ready, 200);
    server.stop();
}

#[test]
fn rows_at_fault_are_kept_beside_and_cost_the_others_nothing() {
    let fake = Fake::start();
    let site = fake.stateless_site();
    fake.judge(|_, rows| {
        let at = (0..).zip(rows).filter(|(_, row)| row["sg_event_id"][0] == "a-4").map(|(index, _)| index);
        let at: Vec<i64> = at.collect();
        if at.is_empty() { Reply::Take } else { Reply::Rows(at) }
    });
    let server = site.serve();
    assert_eq!(server.post(&site, &body("a", 10)).0, 200);
    assert_eq!(fake.unique("sg_event_id").len(), 9);
    let aside = fake.aside();
    assert!(aside.len() == 1 && aside[0]["row"][0].contains("a-4") && aside[0]["why"][0].contains("does not fit"));
    let plain = fake.wire();
    assert!(!plain.windows(5).any(|window| window.eq_ignore_ascii_case(b"jane.")), "an address went over the wire");
    server.stop();
}

#[test]
fn who_waits_shares_the_next_request() {
    const CLIENTS: usize = 40;
    let fake = Fake::start();
    let site = fake.stateless_site();
    fake.judge(|_, _| Reply::TakeAfter(Duration::from_millis(100)));
    let server = site.serve();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (site, address) = (&site, server.address);
            scope.spawn(move || {
                let body = body(&format!("c{client}"), 2);
                let answer = request(address, "POST", "/event", &site.honest_headers(&body), &body);
                assert_eq!(answer.unwrap().0, 200);
            });
        }
    });
    assert_eq!(fake.unique("sg_event_id").len(), CLIENTS * 2);
    assert!(fake.appends() < CLIENTS / 2, "{} appends for {CLIENTS} posts", fake.appends());
    server.stop();
}

#[test]
fn it_does_not_start_where_rows_could_not_be_kept() {
    let fake = Fake::start();
    let mut site = Site::new();
    point(&mut site, fake.rest, fake.grpc);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    let Err(told) = site.try_serve() else { panic!("it started without a table") };
    assert!(told.contains("bigquery init"), "{told}");
}

/// Instances are killed at any time, and the server too: what was acknowledged is in the unique view, once.
#[test]
fn kills_of_instances_and_server_lose_nothing_acknowledged() {
    const ROUNDS: usize = 15;
    let Some(mut emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "3s");
    let (mut acknowledged, mut unanswered) = (Vec::new(), Vec::new());
    let mut seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    for round in 0..ROUNDS {
        let servers = [site.serve(), site.serve()];
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = Duration::from_micros((seed >> 33) % 700_000);
        let stop = AtomicBool::new(false);
        let told: Vec<_> = std::thread::scope(|scope| {
            let senders: Vec<_> = servers
                .iter()
                .enumerate()
                .map(|(number, server)| {
                    // Connected before anything is killed.
                    let (site, stop, client) = (&site, &stop, Client::connect(server.address));
                    scope.spawn(move || send(site, client, &format!("{round}-{number}"), stop))
                })
                .collect();
            std::thread::sleep(pause);
            if round % 3 == 1 {
                emulator.kill();
            }
            for server in &servers {
                server.signal(rustix::process::Signal::KILL);
            }
            stop.store(true, Ordering::Relaxed);
            senders.into_iter().map(|sender| sender.join().unwrap()).collect()
        });
        for (mut yes, mut maybe) in told {
            acknowledged.append(&mut yes);
            unanswered.append(&mut maybe);
        }
        if round % 3 == 1 {
            emulator.restart();
        }
    }
    let unique = emulator.query("SELECT sg_event_id FROM `demo.mail.sendgrid_event_unique` ORDER BY sg_event_id");
    let unique: Vec<String> = unique.into_iter().flatten().collect();
    eprintln!("{} acknowledged, {} not answered, {} there", acknowledged.len(), unanswered.len(), unique.len());
    assert!(!acknowledged.is_empty());
    assert!(unique.windows(2).all(|pair| pair[0] != pair[1]), "an event is there twice");
    for id in &acknowledged {
        assert!(unique.binary_search(id).is_ok(), "{id} was acknowledged and is not there");
    }
    assert!(unique.iter().all(|id| acknowledged.contains(id) || unanswered.contains(id)));
}

/// Posts until the server is gone; ids that were acknowledged, and ids that may be there.
fn send(site: &Site, mut client: Client, name: &str, stop: &AtomicBool) -> (Vec<String>, Vec<String>) {
    let (mut acknowledged, mut unanswered) = (Vec::new(), Vec::new());
    for post in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let ids: Vec<String> = (0..10).map(|n| format!("{name}-{post}-{n}")).collect();
        let events: Vec<String> = ids.iter().map(|id| event(id, "a@b.example", "delivered", now())).collect();
        let body = batch(&events);
        let headers = signed_headers(&site.signer, now(), &body);
        match client.request("POST", "/event", &headers, &body) {
            Some((200, _)) => acknowledged.extend(ids),
            Some(_) => unanswered.extend(ids),
            None => {
                unanswered.extend(ids);
                break;
            }
        }
    }
    (acknowledged, unanswered)
}

/// A receiver without a store of its own has a clock and perhaps a certificate; it says so when one of them needs somebody.
#[test]
fn clock_and_certificate_are_looked_after_without_a_store_too() {
    let fake = Fake::start();
    let hook = Hook::start();
    let mut site = fake.stateless_site();
    site.environment("MAILTRAIL_SLACK_OPS_WEBHOOK_URL", &hook.url);
    site.environment("MAILTRAIL_SLACK_WEBHOOK_URL", &hook.url);
    let concerns = |server: &Running| {
        let (_, page) = request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
        let lines = page.lines().filter(|line| line.starts_with("mailtrail_concern{"));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    let calm = site.serve();
    wait_for("the first look", || concerns(&calm).len() >= 4);
    assert!(concerns(&calm).iter().all(|line| line.ends_with(" 0")), "{:?}", concerns(&calm));
    let (status, detail) = request(calm.metrics, "GET", "/readyz", &[], b"").unwrap();
    assert_eq!((status, detail.trim()), (200, r#"{"ready":true,"store":"bigquery"}"#));
    let (_, page) = request(calm.metrics, "GET", "/metrics", &[], b"").unwrap();
    assert!(!page.contains("mailtrail_disk_free_bytes ") && !page.contains("mailtrail_backlog_max_bytes "), "{page}");
    calm.stop();
    assert!(hook.posts(200).is_empty());

    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    site.write_secret("cert.pem", &params.self_signed(&key).unwrap().pem());
    site.write_secret("key.pem", &key.serialize_pem());
    site.environment("MAILTRAIL_RECEIVE_TLS_CERT", "cert.pem");
    site.environment("MAILTRAIL_RECEIVE_TLS_KEY", "key.pem");
    let server = site.serve();
    wait_for("somebody to be told", || hook.posts(200).iter().any(|post| post.contains("certificate")));
    assert!(concerns(&server).iter().any(|line| line == "mailtrail_concern{kind=\"certificate\"} 1"));
    server.stop();
}
