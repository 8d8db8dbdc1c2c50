//! `tail -f`: what comes in, each event once, though each look overlaps the one before.

use std::io::{BufRead as _, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::emulator::Emulator;
use crate::support::{PATIENCE, Site, batch, event, now};
use crate::{point, run};

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[test]
fn what_comes_in_is_shown_once_also_when_it_becomes_visible_late() {
    let Some(mut emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "60s");
    assert!(run(&site, &["bigquery", "init"]).0);
    let server = site.serve();
    let post = |names: &[&str]| {
        let events: Vec<String> = names.iter().map(|name| event(name, "a@b.example", "open", now())).collect();
        assert_eq!(server.post(&site, &batch(&events)).0, 200);
    };
    for name in ["a", "b", "c"] {
        post(&[name]);
    }
    let mut command = site.command(&["tail", "-f", "-n", "2", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (shown, said) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
    let next = || {
        let line = shown.recv_timeout(2 * PATIENCE).expect("an event is shown");
        serde_json::from_str::<Value>(&line).unwrap()["sg_event_id"].as_str().unwrap().to_owned()
    };
    assert_eq!([next(), next()], ["b", "c"]);
    while !said.recv_timeout(PATIENCE).expect("it says what it costs").contains("each look reads") {}
    post(&["d"]);
    assert_eq!(next(), "d");
    // Received between b and c, and visible after d; and d once more.
    for (from, id, key, later) in [("b", "late", "'late'", 1), ("d", "again", "event_key", 0)] {
        emulator.query(&format!(
            "INSERT INTO `demo.mail.sendgrid_event` SELECT * REPLACE ('{id}' AS sg_event_id, {key} AS event_key, \
             TIMESTAMP_ADD(received_at, INTERVAL {later} MICROSECOND) AS received_at) FROM `demo.mail.sendgrid_event` \
             WHERE sg_event_id = '{from}'"
        ));
    }
    assert_eq!(next(), "late");
    // BigQuery is away for a while.
    emulator.kill();
    while !said.recv_timeout(2 * PATIENCE).expect("it says that it asks again").contains("asked again") {}
    emulator.restart();
    post(&["e", "f"]);
    let mut last = [next(), next()];
    last.sort();
    assert_eq!(last, ["e", "f"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(shown.try_recv().is_err(), "nothing is shown twice");
    server.stop();
}
