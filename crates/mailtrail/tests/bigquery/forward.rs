//! Forwarding to the protocol server: what was acknowledged to SendGrid is in the unique view, once, whatever is killed.

use std::time::Duration;

use crate::emulator::Emulator;
use crate::support::{Running, Site, batch, event, now, request};
use crate::{point, run, wait_for};

fn forwarding(emulator: &Emulator) -> Site {
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    site
}

fn post(site: &Site, server: &Running, ids: impl Iterator<Item = String>) -> Vec<String> {
    let ids: Vec<String> = ids.collect();
    let events: Vec<String> =
        ids.iter().map(|id| event(id, &format!("jane.{id}@example.com"), "delivered", now())).collect();
    assert_eq!(server.post(site, &batch(&events)).0, 200);
    ids
}

fn stored(emulator: &Emulator) -> u64 {
    emulator.count("SELECT COUNT(DISTINCT sg_event_id) FROM `demo.mail.sendgrid_event`")
}

#[test]
fn an_event_is_in_bigquery_within_seconds_with_every_column() {
    let Some(emulator) = Emulator::start() else { return };
    let site = forwarding(&emulator);
    let server = site.serve();
    let body =
        br#"[{"email":"Jane.Doe@Example.com","event":"bounce","sg_event_id":"one","sg_message_id":"msg1.recvd-1",
        "timestamp":1790000000,"type":"blocked","reason":"550 <jane.doe@example.com> unknown","category":["a","b"],
        "mailtrail_run":"run 1","customer":"4711","tls":1,"attempt":"3","future":{"n":1}}]"#;
    let body: Vec<u8> = String::from_utf8_lossy(body).replace("1790000000", &now().to_string()).into_bytes();
    assert_eq!(server.post(&site, &body).0, 200);
    wait_for(&server, "the event in BigQuery", || stored(&emulator) == 1);
    let row = emulator.query(
        "SELECT event, type, run, attempt, tls, email_domain, JSON_VALUE(custom_args, '$.customer'), ARRAY_LENGTH(category), \
         category[OFFSET(1)], LENGTH(email_hash), email, reason, LENGTH(event_key) FROM `demo.mail.sendgrid_event_unique`",
    );
    let reason = row[0][11].clone();
    assert_eq!(
        [&row[0][..11], &row[0][12..]].concat(),
        ["bounce", "blocked", "run 1", "3", "true", "example.com", "4711", "2", "b", "64", "NULL", "32"]
    );
    assert!(reason.contains("550") && !reason.contains("jane"), "{reason}");
    wait_for(&server, "the lag to close", || server.metric("mailtrail_forward_lag_seconds") == 0.0);
    assert_eq!(server.metric("mailtrail_forward_up"), 1.0);
    server.stop();
}

#[test]
fn what_was_there_before_forwarding_was_switched_on_goes_too() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    let server = site.serve();
    post(&site, &server, (0..500).map(|n| format!("before-{n}")));
    server.stop();
    point(&mut site, emulator.rest, emulator.grpc);
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    // There is no table yet: it waits, and receives meanwhile.
    let server = site.serve();
    post(&site, &server, (0..5).map(|n| format!("meanwhile-{n}")));
    wait_for(&server, "it to be said", || server.log().contains("bigquery init"));
    assert_eq!(server.metric("mailtrail_forward_up"), 0.0);
    wait_for(&server, "what waits to be counted", || server.metric("mailtrail_forward_waiting_events") == 505.0);
    assert!(server.metric("mailtrail_forward_lag_seconds") > 0.0);
    // In detail where the metrics are, and nowhere else: posts are taken, so it is ready all the same.
    let (status, detail) = request(server.metrics, "GET", "/readyz", &[], b"").unwrap();
    let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
    assert_eq!((status, &detail["ready"], &detail["forward"]["up"]), (200, &true.into(), &false.into()), "{detail}");
    assert_eq!(detail["forward"]["waiting_events"], 505);
    assert!(detail["forward"]["lag_seconds"].as_f64() > Some(0.0) && detail["forward"]["failures"].as_u64() > Some(0));
    assert!(detail["forward"]["last_failure"].as_str().unwrap().contains("bigquery init"), "{detail}");
    assert!(detail["backlog"]["max_bytes"].as_u64() > Some(0) && detail["backlog"]["not_draining"].is_null());
    let (_, public) = request(server.address, "GET", "/readyz", &[], b"").unwrap();
    assert!(!public.contains("forward") && public.len() < 20, "{public}");
    let doctor =
        site.command(&["doctor"]).env("MAILTRAIL_METRICS_LISTEN", server.metrics.to_string()).output().unwrap();
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert!(told.contains("505 events wait in the trail") && told.contains("tries failed"), "{told}");
    assert!(run(&site, &["bigquery", "init"]).0);
    wait_for(&server, "all events in BigQuery", || stored(&emulator) == 505);
    wait_for(&server, "the detail to say so", || {
        let (_, detail) = request(server.metrics, "GET", "/readyz", &[], b"").unwrap();
        let forward = serde_json::from_str::<serde_json::Value>(&detail).unwrap()["forward"].clone();
        forward["up"] == true && forward["lag_seconds"] == 0.0 && forward["last_failure"].is_null()
    });
    server.stop();
}

/// Both ends are killed again and again, at points that differ each time.
#[test]
fn kills_of_either_end_lose_nothing_and_the_unique_view_shows_each_event_once() {
    const ROUNDS: u64 = 16;
    let Some(mut emulator) = Emulator::start() else { return };
    let site = forwarding(&emulator);
    let mut acknowledged = Vec::new();
    let mut seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    for round in 0..ROUNDS {
        let server = site.serve();
        for part in 0..10 {
            acknowledged.extend(post(&site, &server, (0..40).map(|n| format!("{round}-{part}-{n}"))));
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // From before the first append to after its acknowledgement.
        std::thread::sleep(Duration::from_micros((seed >> 33) % 900_000));
        if round % 2 == 0 {
            emulator.kill();
            acknowledged.extend(post(&site, &server, (0..40).map(|n| format!("{round}-dark-{n}"))));
        }
        if round % 3 != 1 {
            server.kill();
        } else {
            server.stop();
        }
        if round % 2 == 0 {
            emulator.restart();
        }
    }
    let server = site.serve();
    server.wait_drained();
    let wanted = acknowledged.len() as u64;
    wait_for(&server, "everything acknowledged in BigQuery", || stored(&emulator) >= wanted);
    let rows = emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`");
    let unique = emulator.query("SELECT sg_event_id FROM `demo.mail.sendgrid_event_unique` ORDER BY sg_event_id");
    eprintln!("{rows} rows for {wanted} events");
    acknowledged.sort();
    let unique: Vec<String> = unique.into_iter().flatten().collect();
    assert_eq!(unique, acknowledged);
    server.stop();
}
