//! SIGKILL at random points under load: what was acknowledged is stored, each event once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sendgrid_simulator::Signer;

use crate::support::{Client, Site, batch, event, now, signed_headers};

const ROUNDS: usize = 50;
const SENDERS: usize = 4;
const EVENTS_A_POST: usize = 20;
/// Each round's events have a time of their own, so that the check reads only them.
const FIRST_TIMESTAMP: i64 = 1_700_000_000;

#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    /// Sent, but killed before the answer: may be stored, need not.
    unanswered: Vec<String>,
}

#[test]
fn a_kill_at_any_point_loses_and_doubles_nothing() {
    let site = Site::new();
    let mut all = Vec::new();
    let mut server = site.serve();
    // Not cryptographic; different at each run, printed so that a failure can be looked at.
    let mut seed = u64::from(std::process::id()) ^ 0x9E37_79B9_7F4A_7C15;
    eprintln!("seed {seed}");
    for round in 0..ROUNDS {
        let told = Arc::new(Mutex::new(Told::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                // Before the kill can come: a connection that is refused says nothing.
                let client = Client::connect(server.address);
                let (told, stop) = (Arc::clone(&told), Arc::clone(&stop));
                let signer = Arc::clone(&site.signer);
                thread::spawn(move || send_until_killed(client, &signer, round, sender, &told, &stop))
            })
            .collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // From before the first POST has arrived to well into draining.
        thread::sleep(Duration::from_micros((seed >> 33) % 150_000));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
        all.push(Arc::try_unwrap(told).ok().unwrap().into_inner().unwrap());

        server = site.serve();
        server.wait_drained();
        check(&site, round, &all[round]);
    }
    // Nothing of an earlier round was touched by a later one.
    for (round, told) in all.iter().enumerate() {
        check(&site, round, told);
    }
    let acknowledged: usize = all.iter().map(|told| told.acknowledged.len()).sum();
    eprintln!("{acknowledged} events acknowledged over {ROUNDS} kills");
    assert!(acknowledged > ROUNDS * EVENTS_A_POST, "the load reached the server: {acknowledged}");
    server.stop();
}

fn send_until_killed(
    mut client: Client,
    signer: &Signer,
    round: usize,
    sender: usize,
    told: &Mutex<Told>,
    stop: &AtomicBool,
) {
    let timestamp = FIRST_TIMESTAMP + i64::try_from(round).unwrap();
    for post in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let ids: Vec<String> = (0..EVENTS_A_POST).map(|n| format!("{round}-{sender}-{post}-{n}")).collect();
        let events: Vec<String> =
            ids.iter().map(|id| event(id, &format!("kill{id}@example.com"), "delivered", timestamp)).collect();
        let body = batch(&events);
        let headers = signed_headers(signer, now(), &body);
        match client.request("POST", "/event", &headers, &body) {
            Some((200, _)) => told.lock().unwrap().acknowledged.extend(ids),
            Some((503, _)) => told.lock().unwrap().unanswered.extend(ids),
            Some((status, body)) => panic!("an honest POST was answered {status}: {body}"),
            None => {
                told.lock().unwrap().unanswered.extend(ids);
                return;
            }
        }
    }
}

fn check(site: &Site, round: usize, told: &Told) {
    let trail = site.trail();
    let mut query =
        trail.prepare("SELECT sg_event_id, count(*) FROM event WHERE timestamp = ?1 GROUP BY sg_event_id").unwrap();
    let timestamp = (FIRST_TIMESTAMP + i64::try_from(round).unwrap()) * 1_000_000;
    let stored: BTreeMap<String, i64> =
        query.query_map([timestamp], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (id, count) in &stored {
        assert_eq!(*count, 1, "round {round}: {id} is stored {count} times");
    }
    for id in &told.acknowledged {
        assert!(stored.contains_key(id), "round {round}: {id} was acknowledged and is not stored");
    }
    let known = told.acknowledged.len() + told.unanswered.iter().filter(|id| stored.contains_key(*id)).count();
    assert_eq!(stored.len(), known, "round {round}: the trail holds events that nobody sent");
}
