//! BigQuery is away while mail goes on: nothing is lost, the receiver does not notice, and all of it arrives afterwards. How long a
//! backlog of a million takes, and what the receiver's answers take meanwhile, is measured by `benches/bigquery.py`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;

use crate::fake::{Fake, Reply};
use crate::support::request;
use crate::trouble::{post, set_aside};
use crate::wait_for;

const POSTS: usize = 100;
const EVENTS: usize = 1_000;
/// Below the test runner's own limit, with a machine that others use as well.
const DRAIN: Duration = Duration::from_secs(120);

#[test]
fn a_backlog_of_a_hundred_thousand_events_drains_when_bigquery_is_back() {
    let fake = Fake::start();
    let site = fake.site();
    let away = Arc::new(AtomicBool::new(true));
    let gone = Arc::clone(&away);
    fake.judge(move |number, _| match (gone.load(Ordering::Relaxed), number % 3) {
        (false, _) => Reply::Take,
        // As a service goes down: refused, overloaded, cut.
        (true, 0) => Reply::Status(Code::Unavailable),
        (true, 1) => Reply::Error(Code::ResourceExhausted),
        (true, _) => Reply::Cut,
    });
    let server = site.serve();
    // Every post is acknowledged: `post` asserts it.
    post(&site, &server, "dark", POSTS, EVENTS);
    server.wait_drained();
    let waiting = || server.metric("mailtrail_forward_waiting_events");
    // All but the few batches that are tried.
    wait_for(&server, "the backlog to be counted", || waiting() > 80_000.0);
    assert_eq!(server.metric("mailtrail_forward_up"), 0.0);
    let (ready, _) = request(server.address, "GET", "/readyz", &[], b"").unwrap();
    assert_eq!(ready, 200, "posts are taken");
    assert!(fake.column("event_key").is_empty());
    let tries = fake.appends();
    assert!(tries < 400, "{tries} tries: who is away is not besieged");

    away.store(false, Ordering::Relaxed);
    let until = Instant::now() + DRAIN;
    while fake.rows() < POSTS * EVENTS {
        assert!(Instant::now() < until, "{} of them arrived; serve said:\n{}", fake.rows(), server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    // Rows may be there twice, where an acknowledgement was lost.
    wait_for(&server, "every event", || fake.unique("event_key").len() == POSTS * EVENTS);
    assert_eq!(set_aside(&site), [], "an outage is no row's fault");
    wait_for(&server, "the lag to close", || server.metric("mailtrail_forward_lag_seconds") == 0.0);
    // In memory were a few batches, never the backlog (its rows alone are 40 MB on the wire).
    assert!(server.peak_memory_mib() < 400, "{} MiB", server.peak_memory_mib());
    server.stop();
}
