//! Somebody is forgotten: beside a serve that goes on receiving, and without one. Afterwards no file holds a byte of them.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Client, Site, batch, event, now, signed_headers, wait_for};

const ADDRESS: &str = "jane.q.public@example.com";

/// Every place where one of the texts stands, in any file of the store but the key file.
fn traces(site: &Site, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(site.path()).unwrap() {
        let path = entry.unwrap().path();
        // A file may go while it is looked at.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let lower = bytes.to_ascii_lowercase();
        for (index, needle) in needles.iter().enumerate() {
            let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle.as_slice());
            if holds(&bytes) || holds(&lower) {
                found.push(format!("needle {index} in {}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    found
}

fn needles(site: &Site) -> Vec<Vec<u8>> {
    let hash = site.ask(&["hash", ADDRESS]).trim().to_owned();
    let raw = mailtrail::protect::EmailHash::parse(&hash).unwrap().as_bytes().to_vec();
    vec![ADDRESS.as_bytes().to_vec(), hash.into_bytes(), raw]
}

/// Many people, so that the index over hashes has split its pages, and one of them.
fn fill(site: &Site, server: &crate::support::Running) {
    let mut client = Client::connect(server.address);
    for post in 0..10 {
        let mut events: Vec<String> = (0..300)
            .map(|n| {
                event(&format!("o{post}-{n}"), &format!("other{post}-{n}@example.com"), "delivered", 1_700_000_000)
            })
            .collect();
        events.insert(150, event(&format!("jane{post}"), ADDRESS, "delivered", 1_700_000_000 + post));
        events.push(
            event(&format!("by{post}"), &format!("friend{post}@example.com"), "open", 1_700_000_000)
                .replace("\"category\"", &format!("\"referrer\":\"{ADDRESS}\",\"category\"")),
        );
        let body = batch(&events);
        assert_eq!(client.request("POST", "/event", &site.honest_headers(&body), &body).unwrap().0, 200);
    }
    let unreadable = format!("[{{\"email\":\"{}\",\"event\":\"open\"", ADDRESS.replace('@', "\\u0040"));
    assert_eq!(server.post(site, unreadable.as_bytes()).0, 200);
    assert_eq!(server.post(site, b"[{\"event\":\"open\"}]").0, 200, "somebody else's, unreadable");
    server.wait_drained();
}

fn forget(site: &Site, args: &[&str], input: &str) -> serde_json::Value {
    let mut command = site.command(&[&["forget", "--format", "json"], args].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn count(site: &Site, table: &str) -> i64 {
    site.trail().query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0)).unwrap()
}

#[test]
fn somebody_is_gone_from_every_file_while_serve_goes_on_receiving() {
    let site = Site::new();
    // As a store that keeps addresses would have it.
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    site.write_secret("mailtrail.toml", &config.replace("[privacy]\n", "[privacy]\nkeep_address = true\n"));
    let server = site.serve();
    fill(&site, &server);
    let needles = needles(&site);
    assert!(traces(&site, &needles).len() >= 3, "the search finds what is there");

    // Somebody else's mail comes in all the while.
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (stop, signer, address) = (Arc::clone(&stop), Arc::clone(&site.signer), server.address);
        std::thread::spawn(move || {
            let (mut client, mut sent) = (Client::connect(address), 0);
            while !stop.load(Ordering::Relaxed) {
                let body = batch(&[event(&format!("live{sent}"), &format!("live{sent}@example.com"), "open", now())]);
                let headers = signed_headers(&signer, now(), &body);
                assert_eq!(client.request("POST", "/event", &headers, &body).unwrap().0, 200);
                sent += 1;
            }
            sent
        })
    };
    let dry = forget(&site, &["-", "--dry-run"], &format!("{ADDRESS}\n"));
    let told = forget(&site, &["-"], &format!(" {}\n", ADDRESS.to_uppercase()));
    for key in ["events", "messages", "addresses", "mentions", "quarantined"] {
        assert_eq!(dry[key], told[key], "{key}");
    }
    assert_eq!((told["events"].as_i64(), told["addresses"].as_i64()), (Some(10), Some(1)), "{told}");
    assert_eq!((told["mentions"].as_i64(), told["quarantined"].as_i64()), (Some(10), Some(1)), "{told}");
    assert_eq!(told["complete"], true, "{told}");
    assert_eq!(traces(&site, &needles), Vec::<String>::new());
    stop.store(true, Ordering::Relaxed);
    let live: i64 = sender.join().unwrap();
    server.wait_drained();
    assert_eq!(count(&site, "event"), 10 * 301 + live, "nothing of others is missing");
    assert_eq!(count(&site, "quarantine"), 1);

    // Late events are acknowledged and leave nothing either.
    let late = [event("late", ADDRESS, "click", now()), event("beside", "bob@example.com", "click", now())];
    assert_eq!(server.post(&site, &batch(&late)).0, 200);
    wait_for("the late event to be counted", || server.metric("mailtrail_trail_forgotten_total") >= 1.0);
    assert_eq!(count(&site, "event"), 10 * 301 + live + 1);
    wait_for("the spool to be cleaned", || traces(&site, &needles).is_empty());
    assert!(site.ask(&["activity", "--email", ADDRESS]).is_empty());

    assert_eq!(forget(&site, &["-", "--lift"], ADDRESS)["lifted"], 1);
    assert_eq!(server.post(&site, &batch(&late)).0, 200);
    server.wait_drained();
    assert_eq!(count(&site, "event"), 10 * 301 + live + 2);
    let log = server.stop();
    assert!(!log.contains(ADDRESS));
}

#[test]
fn without_serve_what_waits_in_the_spool_is_forgotten_too() {
    let site = Site::new();
    let server = site.serve();
    fill(&site, &server);
    // Kept from draining, then killed: the spool holds it.
    let hold = rusqlite::Connection::open(site.path().join("mailtrail.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    let both =
        [event("spooled", ADDRESS, "open", 1_700_000_100), event("other", "bob@example.com", "open", 1_700_000_100)];
    assert_eq!(server.post(&site, &batch(&both)).0, 200);
    server.kill();
    hold.execute_batch("ROLLBACK").unwrap();
    drop(hold);
    let needles = needles(&site);
    let hash = String::from_utf8(needles[1].clone()).unwrap();
    let dry = forget(&site, &[&hash, "--dry-run"], "");
    assert_eq!((dry["spooled"].as_i64(), dry["events"].as_i64()), (Some(1), Some(10)));

    site.write_secret("list.txt", &format!("\n{hash}\nnobody@example.com\n"));
    let told = forget(&site, &["--list", "list.txt"], "");
    assert_eq!((told["events"].as_i64(), told["complete"].as_bool()), (Some(10), Some(true)), "{told}");
    std::fs::remove_file(site.path().join("list.txt")).unwrap();
    assert_eq!(traces(&site, &needles), Vec::<String>::new());
    assert_eq!(count(&site, "event"), 10 * 301 + 1, "the other one's event was drained");
    let again = forget(&site, &[&hash], "");
    assert_eq!((again["events"].as_i64(), again["complete"].as_bool()), (Some(0), Some(true)));
}

#[test]
fn samples_go_on_request_and_mistakes_quote_nobody() {
    let site = Site::new();
    let server = site.serve();
    let sample = event("s", "example@test.com", "processed", 1_700_000_000)
        .replace("msgs.recvd-1-2-3.0", "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0");
    assert_eq!(server.post(&site, &batch(&[sample, event("r", ADDRESS, "open", 1_700_000_000)])).0, 200);
    server.wait_drained();
    assert_eq!(forget(&site, &["--test", "--dry-run"], "")["events"], 1);
    assert_eq!(forget(&site, &["--test"], "")["events"], 1);
    assert_eq!(forget(&site, &["--unverified"], "")["events"], 0);
    assert_eq!(count(&site, "event"), 1);

    site.write_secret("list.txt", "jane.q.public@example.com\nJane Q Public\n");
    let output = site.command(&["forget", "--list", "list.txt"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("row 2") && !said.contains("Public") && !said.contains("jane"), "{said}");
    assert_eq!(count(&site, "event"), 1);
}
