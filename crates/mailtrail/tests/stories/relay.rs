//! SendGrid's POSTs reach other consumers as they came: at least once, in order, whatever happens to either side, and nothing
//! of them lies readable on the disk.

pub mod consumer;
mod kill;

use std::net::{SocketAddr, TcpListener};

use consumer::Consumer;

use crate::support::{Client, Running, Site, basic, batch, event, now, request, wait_for};

const ADDRESS: &str = "jane.q.public@example.com";

/// A site that passes POSTs on to these; `more`: further lines of each `[[relay]]`.
fn site(consumers: &[(&str, &str)], more: &str) -> Site {
    let site = Site::new();
    let mut config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    for (name, url) in consumers {
        config.push_str(&format!("[[relay]]\nname = \"{name}\"\nurl = \"{url}\"\n{more}\n"));
    }
    site.write_secret("mailtrail.toml", &config);
    site
}

fn body(n: usize) -> Vec<u8> {
    batch(&[event(&format!("r{n}"), ADDRESS, "delivered", 1_700_000_000)])
}

/// An address where nobody listens, and where somebody may later.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn waiting(server: &Running) -> f64 {
    server.metric("mailtrail_relay_waiting_posts")
}

/// Every file of the site, by name.
fn files(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // A log may go while it is looked at.
    entries
        .filter_map(|path| Some((path.file_name()?.to_string_lossy().into_owned(), std::fs::read(&path).ok()?)))
        .collect()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}

#[test]
fn a_consumer_gets_the_very_bytes_and_can_check_the_signature_itself() {
    let (one, two) = (Consumer::start(), Consumer::start());
    let site = site(&[("one", &one.url()), ("two", &two.url())], "basic_auth = \"consumer:s3cret\"");
    let server = site.serve();
    // SendGrid's layout, something unreadable, bytes that are no UTF-8, and nothing at all: verbatim is verbatim.
    let bodies: [Vec<u8>; 4] =
        [body(1), b"[{\"event\":\"open\"}, {bad]".to_vec(), b"[{\"x\":\"\xff\xfe\"}]\n\n".to_vec(), b"[]".to_vec()];
    for body in &bodies {
        let mut headers = site.honest_headers(body);
        headers.push(("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()));
        headers.push(("X-Other".to_owned(), "stays here".to_owned()));
        assert_eq!(request(server.address, "POST", "/event", &headers, body).unwrap().0, 200);
    }
    for consumer in [&one, &two] {
        wait_for("all posts", || consumer.posts().len() == bodies.len());
        for (post, body) in consumer.posts().iter().zip(&bodies) {
            assert_eq!(&post.body, body);
            assert!(post.is_signed_by(site.signer.public_key()));
            assert_eq!(post.header("content-type"), Some("application/json; charset=utf-8"));
            assert_eq!(post.header("authorization"), Some(basic("consumer:s3cret").1.as_str()), "ours, not SendGrid's");
            assert_eq!(post.header("x-other"), None);
        }
    }
    // What is refused is passed on to nobody.
    let stale = site.headers_signed_at(now() - 400_000, &bodies[0]);
    assert_eq!(request(server.address, "POST", "/event", &stale, &bodies[0]).unwrap().0, 401);
    wait_for("all to be counted", || server.metric("mailtrail_relay_delivered_total") == 8.0);
    wait_for("nothing to wait", || waiting(&server) == 0.0);
    wait_for("what was delivered to be deleted", || server.metric("mailtrail_relay_bytes") == 0.0);
    let log = server.stop();
    assert!(!log.contains("s3cret") && !log.contains(&one.url()) && !log.contains("jane"), "{log}");
    assert_eq!((one.posts().len(), two.posts().len()), (4, 4), "each once where nothing went wrong");
}

#[test]
fn a_consumer_that_was_down_gets_all_of_it_in_order_and_no_file_tells_an_address() {
    let address = free_address();
    let up = Consumer::start();
    let url = format!("http://{address}/sendgrid?source=mailtrail");
    let mut site = site(&[("down", &url), ("up", &up.url())], "");
    site.environment("MAILTRAIL_LOG", "trace");
    let server = site.serve();
    let bodies: Vec<Vec<u8>> = (0..30).map(body).collect();
    let mut client = Client::connect(server.address);
    for body in &bodies[..20] {
        assert_eq!(client.request("POST", "/event", &site.honest_headers(body), body).unwrap().0, 200);
    }
    wait_for("the one that is up", || up.taken().len() == 20);
    wait_for("the other's to wait", || waiting(&server) == 20.0);
    // While they wait, and in the logs of the databases: neither the address nor the signature.
    let signature = up.posts()[0].header("x-twilio-email-event-webhook-signature").unwrap().to_owned();
    let look = |site: &Site| {
        let found = files(site.path());
        assert!(found.iter().any(|(name, bytes)| name.starts_with("mailtrail.relay.db") && bytes.len() > 20 * 150));
        for (name, bytes) in found {
            for text in [ADDRESS.as_bytes(), signature.as_bytes()] {
                assert!(!contains(&bytes, text), "{name}");
            }
        }
    };
    look(&site);
    let log = server.stop();
    assert!(!log.contains(ADDRESS) && !log.contains(&address.to_string()), "{log}");
    assert!(log.contains("does not take a POST"), "{log}");
    look(&site);

    let server = site.serve();
    for body in &bodies[20..] {
        assert_eq!(server.post(&site, body).0, 200);
    }
    let late = Consumer::start_at(address);
    wait_for("the one that was down", || late.taken().len() >= 30);
    assert_eq!(late.taken(), bodies, "in order");
    assert!(late.posts().iter().all(|post| post.is_signed_by(site.signer.public_key())));
    wait_for("nothing to wait", || waiting(&server) == 0.0);
    assert_eq!(up.taken(), bodies, "the other's trouble was not its");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(site.path().join("mailtrail.relay.db")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    server.stop();
}

/// By structure, not by time: all are answered while the consumer has answered nothing.
#[test]
fn a_consumer_that_does_not_answer_is_in_nobodys_way() {
    let consumer = Consumer::holding();
    let site = site(&[("slow", &consumer.url())], "timeout = \"1h\"");
    let server = site.serve();
    let bodies: Vec<Vec<u8>> = (0..50).map(body).collect();
    assert_eq!(server.post(&site, &bodies[0]).0, 200);
    wait_for("the consumer to hold one", || consumer.begun() == 1);
    for body in &bodies[1..] {
        assert_eq!(server.post(&site, body).0, 200);
    }
    server.wait_drained();
    assert_eq!((consumer.begun(), consumer.posts().len()), (1, 0), "it has answered nothing");
    assert_eq!(site.trail().query_row("SELECT count(*) FROM event", (), |row| row.get::<_, i64>(0)).unwrap(), 50);
    consumer.release();
    wait_for("all of them", || consumer.taken().len() == 50);
    assert_eq!(consumer.taken(), bodies);
    server.stop();
}

#[test]
fn what_a_consumer_refuses_is_set_aside_and_given_again_when_asked() {
    let mended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&mended);
    let consumer = Consumer::judging(move |body| {
        match contains(body, b"\"r1\"") && !seen.load(std::sync::atomic::Ordering::SeqCst) {
            true => 422,
            false => 200,
        }
    });
    let moved = Consumer::judging(|_| 302);
    let site = site(&[("choosy", &consumer.url()), ("moved", &moved.url())], "tries = 2");
    let server = site.serve();
    let bodies: Vec<Vec<u8>> = (0..3).map(body).collect();
    for body in &bodies {
        assert_eq!(server.post(&site, body).0, 200);
    }
    wait_for("the rest to have its turn", || consumer.taken().len() == 2);
    assert_eq!(consumer.taken(), [bodies[0].clone(), bodies[2].clone()]);
    let tried = consumer.posts().iter().filter(|post| post.status == 422).count();
    assert_eq!(tried, 2);
    let choosy = |site: &Site| {
        let told = site.ask(&["relay", "status", "--format", "json"]);
        let line = told.lines().next().unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    wait_for("it to be noted", || choosy(&site)["set_aside"] == 1);
    assert_eq!(choosy(&site)["refusals"]["422"], 1);
    let doctor = site.command(&["doctor"]).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains("mailtrail relay retry choosy") && doctor.contains("plain addresses"), "{doctor}");
    // Redirects lead nowhere: they would take addresses along.
    wait_for("all to be refused", || server.metric("mailtrail_relay_set_aside_posts") == 4.0);
    assert_eq!((moved.taken().len(), moved.posts().len()), (0, 6));

    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    site.ask(&["relay", "retry", "choosy"]);
    wait_for("it to be taken", || consumer.taken().len() == 3);
    wait_for("it to be noted", || choosy(&site)["set_aside"] == 0);
    let unknown = site.command(&["relay", "retry", "nobody"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    server.stop();
}

#[test]
fn forgetting_reaches_what_waits_and_a_backup_leaves_it_out() {
    let address = free_address();
    let url = format!("http://{address}/sendgrid?source=mailtrail");
    let site = site(&[("down", &url)], "");
    let server = site.serve();
    let other = batch(&[event("other", "bob@example.com", "open", 1_700_000_000)]);
    let both =
        batch(&[event("both", "bob@example.com", "open", 1_700_000_000), event("j", ADDRESS, "open", 1_700_000_000)]);
    let escaped = String::from_utf8(body(1)).unwrap().replace('@', "\\u0040").into_bytes();
    for body in [&other, &both, &escaped] {
        assert_eq!(server.post(&site, body).0, 200);
    }
    wait_for("them to wait", || waiting(&server) == 3.0);
    site.ask(&["backup", "copy"]);
    let copied: Vec<String> = files(&site.path().join("copy")).into_iter().map(|(name, _)| name).collect();
    assert!(
        copied.iter().any(|name| name == "trail.db") && !copied.iter().any(|name| name.contains("relay")),
        "{copied:?}"
    );

    let forget = |site: &Site, args: &[&str]| -> serde_json::Value {
        let told = site.ask(&[&["forget", ADDRESS, "--format", "json"], args].concat());
        serde_json::from_str(&told).unwrap()
    };
    assert_eq!(forget(&site, &["--dry-run"])["relayed"], 2);
    let told = forget(&site, &[]);
    assert_eq!((&told["relayed"], &told["complete"]), (&2.into(), &true.into()), "{told}");
    assert_eq!(forget(&site, &[])["relayed"], 0);
    let consumer = Consumer::start_at(address);
    wait_for("what is left", || !consumer.taken().is_empty());
    wait_for("nothing to wait", || waiting(&server) == 0.0);
    assert_eq!(consumer.taken(), [other]);
    server.stop();
}

/// What waits in the spool of a store that lost its consumers, or in a copy of it, is not kept either.
#[test]
fn nothing_lies_about_where_nobody_wants_it_and_in_no_backup_of_a_spool() {
    let url = format!("http://{}/sendgrid?source=mailtrail", free_address());
    let site = site(&[("down", &url)], "");
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    wait_for("it to wait", || waiting(&server) == 1.0);
    // Kept from draining: the POST is in the spool.
    let hold = rusqlite::Connection::open(site.path().join("mailtrail.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(server.post(&site, &body(1)).0, 200);
    site.ask(&["backup", "copy"]);
    let count = |path: &str, table: &str| -> i64 {
        let spool = rusqlite::Connection::open(site.path().join(path)).unwrap();
        spool.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0)).unwrap()
    };
    assert_eq!((count("mailtrail.spool-1.db", "batch"), count("mailtrail.spool-1.db", "post")), (1, 1));
    assert_eq!((count("copy/spool-1.db", "batch"), count("copy/spool-1.db", "post")), (1, 0));
    server.kill();
    hold.execute_batch("ROLLBACK").unwrap();
    drop(hold);

    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    site.write_secret("mailtrail.toml", config.split("[[relay]]").next().unwrap());
    let server = site.serve();
    server.wait_drained();
    let log = server.stop();
    assert!(log.contains("names no consumer any more"), "{log}");
    assert!(!files(site.path()).iter().any(|(name, _)| name.contains("relay")));
    assert_eq!(site.trail().query_row("SELECT count(*) FROM event", (), |row| row.get::<_, i64>(0)).unwrap(), 2);
}

#[test]
fn a_command_that_drains_the_spool_keeps_what_is_to_be_passed_on() {
    let consumer = Consumer::start();
    let site = site(&[("one", &consumer.url())], "");
    let server = site.serve();
    let hold = rusqlite::Connection::open(site.path().join("mailtrail.db")).unwrap();
    hold.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    server.kill();
    hold.execute_batch("ROLLBACK").unwrap();
    drop(hold);
    assert!(consumer.taken().is_empty());
    let told = site.ask(&["forget", "nobody@example.com", "--format", "json"]);
    assert!(told.contains("\"complete\":true"), "{told}");
    assert_eq!(site.trail().query_row("SELECT count(*) FROM event", (), |row| row.get::<_, i64>(0)).unwrap(), 1);
    let server = site.serve();
    wait_for("it to be passed on", || consumer.taken() == [body(0)]);
    server.stop();
}

#[test]
fn what_waits_too_long_is_given_up_and_alarm_is_raised() {
    let url = format!("http://{}/sendgrid?source=mailtrail", free_address());
    let site = site(&[("down", &url)], "max_age = \"1s\"");
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    wait_for("it to be given up", || server.metric("mailtrail_relay_dropped_total") == 1.0);
    wait_for("it to be deleted", || server.metric("mailtrail_relay_bytes") == 0.0 && waiting(&server) == 0.0);
    let log = server.stop();
    assert!(log.contains("were given up that the consumer never got"), "{log}");
}

#[test]
fn a_damaged_file_is_given_up_and_the_next_start_goes_on_without_it() {
    let consumer = Consumer::start();
    let site = site(&[("one", &consumer.url())], "");
    site.write_secret("mailtrail.relay.db", &"no database at all, but something that stood here".repeat(200));
    let server = site.serve();
    assert_eq!(server.post(&site, &body(0)).0, 200);
    wait_for("it to be passed on", || consumer.taken().len() == 1);
    let log = server.stop();
    assert!(log.contains("a new file takes over, and an unknown number of POSTs"), "{log}");
}

#[test]
fn without_a_store_on_this_machine_it_is_refused() {
    let site = site(&[("one", "https://consumer.example.com/")], "");
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    let stateless = "kind = \"bigquery\"\n[bigquery]\nproject = \"a-project\"\ndataset = \"mail\"\n";
    site.write_secret("mailtrail.toml", &config.replace("path = \"mailtrail.db\"\n", stateless));
    let said = site.try_serve().err().expect("refused");
    assert!(said.contains("[[relay]] needs a store on this machine"), "{said}");
}

/// A site at a known address that relays to `url`; every site of a test takes what the same sender signed.
fn site_at(address: SocketAddr, url: &str, sender: &Site) -> Site {
    let site = site(&[("next", url)], &format!("basic_auth = \"{}\"", crate::support::CREDENTIALS));
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    let config = config.replacen("127.0.0.1:0", &address.to_string(), 1);
    site.write_secret("mailtrail.toml", &config.replace(site.signer.public_key(), sender.signer.public_key()));
    site
}

fn stored(site: &Site, server: &Running) -> i64 {
    server.wait_drained();
    site.trail().query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_post_that_is_replayed_is_relayed_once() {
    let consumer = Consumer::start();
    let site = site(&[("one", &consumer.url())], "");
    let server = site.serve();
    let headers = site.honest_headers(&body(1));
    for _ in 0..20 {
        assert_eq!(request(server.address, "POST", "/event", &headers, &body(1)).unwrap().0, 200);
        // Each by itself and signed again, as SendGrid repeats it.
        assert_eq!(server.post(&site, &body(1)).0, 200);
        server.wait_drained();
    }
    // Known events beside a new one are passed on: the bytes are one.
    let mixed = batch(&[event("r1", ADDRESS, "delivered", 1_700_000_000), event("r2", ADDRESS, "open", 1_700_000_001)]);
    assert_eq!(server.post(&site, &mixed).0, 200);
    wait_for("the new one", || consumer.posts().len() == 2);
    assert_eq!(consumer.taken(), [body(1), mixed]);
    assert_eq!(server.metric("mailtrail_relay_known_total"), 39.0);
    assert_eq!(waiting(&server), 0.0);
}

/// A relay whose URL is the own one (matrix-hookshot#966).
#[test]
fn a_relay_to_itself_ends_and_is_reported() {
    let address = free_address();
    let sender = Site::new();
    let site = site_at(address, &format!("http://{address}/event"), &sender);
    let server = site.serve();
    assert_eq!(server.post(&sender, &body(1)).0, 200);
    wait_for("the loop to be seen on both sides", || {
        server.metric("mailtrail_refused_total{reason=\"relay_loop\"}") == 1.0
            && server.metric("mailtrail_relay_loops_total") == 1.0
    });
    wait_for("nothing to wait", || waiting(&server) == 0.0);
    assert_eq!(stored(&site, &server), 1);
    assert_eq!(server.metric("mailtrail_posts_total{status=\"200\"}"), 1.0);
    let log = server.stop();
    assert!(log.contains("came back to it") && log.contains("leads back to a mailtrail"), "{log}");
}

#[test]
fn two_that_relay_to_each_other_end_and_report_it() {
    let (one, two) = (free_address(), free_address());
    let sender = Site::new();
    let sites =
        [site_at(one, &format!("http://{two}/event"), &sender), site_at(two, &format!("http://{one}/event"), &sender)];
    let servers = [sites[0].serve(), sites[1].serve()];
    assert_eq!(servers[0].post(&sender, &body(1)).0, 200);
    wait_for("the loop to be refused by the first", || {
        servers[0].metric("mailtrail_refused_total{reason=\"relay_loop\"}") == 1.0
    });
    wait_for("the second to give it up", || servers[1].metric("mailtrail_relay_loops_total") == 1.0);
    for (site, server) in sites.iter().zip(&servers) {
        assert_eq!(stored(site, server), 1);
        assert_eq!(server.metric("mailtrail_posts_total{status=\"200\"}"), 1.0);
    }
}
