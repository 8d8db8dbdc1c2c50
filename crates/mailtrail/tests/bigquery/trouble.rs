//! What BigQuery does on bad days: nothing is lost, nothing is set aside wrongly, and the receiver does not notice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;

use crate::fake::{Fake, Reply, Row};
use crate::support::{Running, Site, batch, event, now};
use crate::{run, wait_for};

/// Posts so many events; returns how long the slowest 200 took.
pub fn post(site: &Site, server: &Running, name: &str, posts: usize, events: usize) -> Duration {
    let mut slowest = Duration::ZERO;
    for post in 0..posts {
        let events: Vec<String> = (0..events)
            .map(|n| {
                let id = format!("{name}-{post:03}-{n:03}");
                event(&id, &format!("jane.{id}@example.com"), "delivered", now())
            })
            .collect();
        let begun = Instant::now();
        assert_eq!(server.post(site, &batch(&events)).0, 200);
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

pub fn arrive(server: &Running, fake: &Fake, wanted: usize) {
    wait_for(server, "every event", || fake.unique("sg_event_id").len() >= wanted);
    assert_eq!(fake.unique("sg_event_id").len(), wanted);
    // And nothing is left on the way: the saved place is behind the last.
    wait_for(server, "the place to be saved", || refused_and_place(server).1);
}

/// Whether the metrics say that nothing is on the way.
fn refused_and_place(server: &Running) -> (f64, bool) {
    let lag = server.metric("mailtrail_forward_lag_seconds");
    (server.metric("mailtrail_forward_refused_rows_total"), lag == 0.0)
}

/// `forward_failed`: events' ids in the trail and the reasons.
pub fn set_aside(site: &Site) -> Vec<(i64, String)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let state = rusqlite::Connection::open_with_flags(site.path().join("mailtrail.forward.db"), flags).unwrap();
    let mut select = state.prepare("SELECT event_id, why FROM forward_failed ORDER BY event_id").unwrap();
    let rows = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn is(row: &Row, id: &str) -> bool {
    row["sg_event_id"] == [id]
}

#[test]
fn rows_at_fault_are_set_aside_one_by_one_and_the_rest_goes_on() {
    let fake = Fake::start();
    let site = fake.site();
    fake.judge(|_, rows| {
        let wrong = |row: &Row| is(row, "a-001-003") || is(row, "a-001-007");
        let at: Vec<i64> = (0..).zip(rows).filter(|(_, row)| wrong(row)).map(|(index, _)| index).collect();
        if at.is_empty() { Reply::Take } else { Reply::Rows(at) }
    });
    let server = site.serve();
    post(&site, &server, "a", 5, 20);
    arrive(&server, &fake, 98);
    wait_for(&server, "the refused rows to be noted", || set_aside(&site).len() == 2);
    assert!(set_aside(&site).iter().all(|(_, why)| why.contains("does not fit")), "{:?}", set_aside(&site));
    assert_eq!(refused_and_place(&server).0, 2.0);
    assert!(!fake.column("sg_event_id").contains(&"a-001-003".to_owned()));
    // They are not tried again by a later start, and are still in the trail.
    server.stop();
    let appends = fake.appends();
    let server = site.serve();
    post(&site, &server, "b", 1, 1);
    arrive(&server, &fake, 99);
    assert_eq!(fake.appends(), appends + 1);
    let ids: Vec<i64> = set_aside(&site).into_iter().map(|(id, _)| id).collect();
    let there = "SELECT count(*) FROM event WHERE id IN (?1, ?2)";
    let count: i64 = site.trail().query_row(there, [ids[0], ids[1]], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}

#[test]
fn a_row_that_is_refused_without_being_named_is_found_by_halving() {
    let fake = Fake::start();
    let site = fake.site();
    fake.judge(|_, rows| match rows.iter().any(|row| is(row, "a-000-013")) {
        true => Reply::Error(Code::InvalidArgument),
        false => Reply::Take,
    });
    let server = site.serve();
    post(&site, &server, "a", 1, 50);
    arrive(&server, &fake, 49);
    wait_for(&server, "the row to be noted", || set_aside(&site).len() == 1);
    assert_eq!(fake.column("sg_event_id").len(), 49, "the others went once");
    server.stop();
}

#[test]
fn a_table_that_takes_nothing_empties_nothing() {
    let fake = Fake::start();
    let site = fake.site();
    fake.judge(|_, _| Reply::Error(Code::InvalidArgument));
    let server = site.serve();
    post(&site, &server, "a", 1, 3);
    wait_for(&server, "it to be tried again and again", || fake.appends() > 12);
    assert_eq!(server.metric("mailtrail_forward_up"), 0.0);
    assert!(set_aside(&site).is_empty(), "a wrong table must not empty the trail");
    // The table is mended: everything arrives.
    fake.judge(|_, _| Reply::Take);
    arrive(&server, &fake, 3);
    assert!(set_aside(&site).is_empty() && server.metric("mailtrail_forward_up") == 1.0);
    server.stop();
}

#[test]
fn unavailable_exhausted_and_expired_are_waited_out() {
    let fake = Fake::start();
    let site = fake.site();
    let server = site.serve();
    let codes = [Code::Unavailable, Code::ResourceExhausted, Code::Unauthenticated, Code::Internal, Code::Aborted];
    // In the answer and as the stream's end, each.
    let replies = codes.into_iter().flat_map(|code| [Reply::Error(code), Reply::Status(code)]);
    for (round, reply) in replies.enumerate() {
        let first = fake.appends();
        fake.judge(move |number, _| if number == first { reply.clone() } else { Reply::Take });
        post(&site, &server, &format!("r{round}"), 1, 10);
        arrive(&server, &fake, (round + 1) * 10);
    }
    assert!(server.metric("mailtrail_forward_failures_total") >= 10.0);
    assert!(set_aside(&site).is_empty());
    let log = server.stop();
    assert!(log.contains("stopped for now") && log.contains("forwarding to BigQuery goes on"), "{log}");
}

#[test]
fn no_permission_is_said_with_what_to_grant_and_waited_for() {
    let fake = Fake::start();
    let site = fake.site();
    fake.judge(|_, _| Reply::Status(Code::PermissionDenied));
    let server = site.serve();
    post(&site, &server, "a", 1, 3);
    wait_for(&server, "it to be said", || server.log().contains("bigquery.tables.updateData"));
    fake.judge(|_, _| Reply::Take);
    arrive(&server, &fake, 3);
    server.stop();
}

#[test]
fn cut_streams_lose_nothing() {
    let fake = Fake::start();
    let site = fake.site();
    fake.judge(|number, _| match number % 7 {
        2 => Reply::Cut,
        4 => Reply::TakeAndCut,
        _ => Reply::TakeAfter(Duration::from_millis(20)),
    });
    let server = site.serve();
    for part in 0..12 {
        post(&site, &server, &format!("p{part}"), 2, 10);
        server.wait_drained();
        if part % 4 == 3 {
            fake.cut_all();
        }
    }
    arrive(&server, &fake, 240);
    assert!(fake.connections() > 2, "the connection was made anew: {}", fake.connections());
    assert!(set_aside(&site).is_empty());
    server.stop();
}

#[test]
fn silence_is_given_up_and_slow_answers_are_waited_for_with_others_on_the_way() {
    let fake = Fake::start();
    let mut site = fake.site();
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "700ms");
    fake.judge(|number, _| if number == 0 { Reply::Silence } else { Reply::TakeAfter(Duration::from_millis(300)) });
    let server = site.serve();
    // More than a batch holds, so that several are on the way.
    post(&site, &server, "a", 20, 600);
    arrive(&server, &fake, 12_000);
    assert!(server.metric("mailtrail_forward_failures_total") >= 1.0);
    assert!(fake.most_in_flight() > 1, "one at a time");
    server.stop();
}

/// While BigQuery says nothing at all, the receiver answers as ever, and memory does not grow with the backlog.
#[test]
fn an_outage_costs_nothing_but_delay() {
    let fake = Fake::start();
    let mut site = fake.site();
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "1s");
    let server = site.serve();
    post(&site, &server, "before", 1, 10);
    arrive(&server, &fake, 10);
    fake.judge(|_, _| Reply::Status(Code::Unavailable));
    let memory = server.peak_memory_mib();
    let slowest = post(&site, &server, "dark", 60, 500);
    eprintln!("slowest 200 in the dark: {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    server.wait_drained();
    wait_for(&server, "the backlog to be seen", || server.metric("mailtrail_forward_lag_seconds") > 1.0);
    let grown = server.peak_memory_mib().saturating_sub(memory);
    assert!(grown < 150, "{grown} MiB more");
    // Stopped in the dark, it ends at once, and the next start goes on.
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let server = site.serve();
    fake.judge(|_, _| Reply::Take);
    arrive(&server, &fake, 30_010);
    server.stop();
}

/// dbt-core#2795: BigQuery's temporary errors are repeated, whatever their status.
#[test]
fn questions_that_are_turned_away_for_now_are_asked_again() {
    let fake = Fake::start();
    let site = fake.stateless_site();
    let reasons = [(403, "rateLimitExceeded"), (400, "jobRateLimitExceeded"), (503, "backendError")];
    let asked = AtomicUsize::new(0);
    fake.answer(move |_| {
        let (status, reason) = *reasons.get(asked.fetch_add(1, Ordering::Relaxed))?;
        Some((status, serde_json::json!({"error": {"message": "later", "errors": [{"reason": reason}]}})))
    });
    let (done, _, said) = run(&site, &["activity"]);
    assert!(done, "{said}");

    // An outage longer than that at the start of `wait`: it goes on, and then answers the question.
    let asked = AtomicUsize::new(0);
    fake.answer(move |_| (asked.fetch_add(1, Ordering::Relaxed) < 7).then(|| (503, serde_json::json!(null))));
    let (_, _, said) = run(&site, &["wait", "november", "--timeout", "60s"]);
    assert!(said.contains("it is asked again") && said.contains("there is no run"), "{said}");
}

/// Every byte that left the machine, searched.
#[test]
fn no_plain_address_goes_over_the_wire() {
    let fake = Fake::start();
    let site = fake.site();
    let server = site.serve();
    let body = format!(
        r#"[{{"email":"Jane.Doe@Example.com","event":"bounce","sg_event_id":"one","timestamp":{},
        "reason":"550 5.1.1 <jane.doe@example.com>: jane.doe unknown","url":"https://x.example/u?e=jane.doe%40example.com",
        "customer":"JANE.DOE@example.com","smtp-id":"<jane.doe@example.com>","sg_message_id":"msg.1","to":"=?jane.doe@example.com?="}}]"#,
        now()
    );
    assert_eq!(server.post(&site, body.as_bytes()).0, 200);
    arrive(&server, &fake, 1);
    server.stop();
    assert_eq!(fake.column("email_domain"), ["example.com"]);
    let wire = fake.wire().to_ascii_lowercase();
    let holds = |needle: &str| wire.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("example.com") && holds("550 5.1.1"), "the search finds what is there");
    for plain in ["jane.doe", "jane%2edoe", "amfuzs5kb2u"] {
        assert!(!holds(plain), "{plain} went over the wire");
    }
}
