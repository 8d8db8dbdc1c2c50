//! SIGKILL under load: whatever was acknowledged reaches the consumer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sendgrid_simulator::Signer;

use super::consumer::Consumer;
use super::site;
use crate::support::{Client, batch, event, now, signed_headers, wait_for};

const ROUNDS: usize = 8;
const SENDERS: usize = 3;

#[test]
fn a_kill_at_any_point_loses_no_post_that_was_acknowledged() {
    let consumer = Consumer::start();
    let site = site(&[("consumer", &consumer.url())], "");
    let mut seed = u64::from(std::process::id()) ^ 0x9E37_79B9_7F4A_7C15;
    eprintln!("seed {seed}");
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..ROUNDS {
        let server = site.serve();
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                // Before the kill can come: a connection that is refused says nothing.
                let client = Client::connect(server.address);
                let (told, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
                let signer = Arc::clone(&site.signer);
                thread::spawn(move || send_until_killed(client, &signer, round * SENDERS + sender, &told, &stop))
            })
            .collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // From before the first POST has arrived to well into delivering.
        thread::sleep(Duration::from_micros((seed >> 33) % 300_000));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
    }
    let server = site.serve();
    let acknowledged = acknowledged.lock().unwrap();
    let missing = || {
        let taken: BTreeSet<Vec<u8>> = consumer.taken().into_iter().collect();
        acknowledged.iter().filter(|body| !taken.contains(*body)).count()
    };
    wait_for("all that was acknowledged", || missing() == 0);
    eprintln!("{} acknowledged, {} taken", acknowledged.len(), consumer.taken().len());
    assert!(acknowledged.len() > ROUNDS, "the load reached the server");
    assert!(consumer.posts().iter().all(|post| post.is_signed_by(site.signer.public_key())));
    server.stop();
}

fn send_until_killed(
    mut client: Client,
    signer: &Signer,
    sender: usize,
    acknowledged: &Mutex<BTreeSet<Vec<u8>>>,
    stop: &AtomicBool,
) {
    for post in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("{sender}-{post}");
        let body = batch(&[event(&id, &format!("kill{id}@example.com"), "delivered", now())]);
        match client.request("POST", "/event", &signed_headers(signer, now(), &body), &body) {
            Some((200, _)) => drop(acknowledged.lock().unwrap().insert(body)),
            Some((503, _)) => {}
            Some((status, body)) => panic!("an honest POST was answered {status}: {body}"),
            None => return,
        }
    }
}
