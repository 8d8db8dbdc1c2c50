//! What an honest SendGrid sees: 200 when it is durable, and a receiver that can be reconfigured while it runs.

use crate::support::{CREDENTIALS, Client, Site, basic, batch, event, request, wait_for};

fn one(id: &str) -> Vec<u8> {
    batch(&[event(id, "jane@example.com", "delivered", 1_700_000_000)])
}

/// A half-written file, or a setting for a test that was left in it, must not open the receiver.
#[test]
fn a_reload_never_weakens_authentication_unless_that_is_allowed() {
    let site = Site::new();
    let key = site.signer.public_key().to_owned();
    let server = site.serve();
    let body = batch(&[event("w1", "jane@example.com", "delivered", 1_700_000_000)]);
    let unsigned = || {
        let headers = [basic(CREDENTIALS), ("Content-Length".to_owned(), body.len().to_string())];
        request(server.address, "POST", "/event", &headers, &body).unwrap().0
    };
    let reload = |receive: &str, outcome: &str| {
        let metric = format!("mailtrail_reloads_total{{outcome=\"{outcome}\"}}");
        let before = server.metric(&metric);
        site.configure(receive);
        server.signal(rustix::process::Signal::HUP);
        wait_for(&format!("{outcome}: {receive}"), || server.metric(&metric) > before);
    };
    let basic_auth = format!("basic_auth = [\"{CREDENTIALS}\"]\n");
    reload(&basic_auth, "refused");
    reload(&format!("{basic_auth}public_keys = [\"{key}\"]\nsignature = \"off\""), "refused");
    reload(&format!("{basic_auth}public_keys = [\"{key}\"]\nsignature = \"observe\""), "refused");
    reload(&format!("public_keys = [\"{key}\"]"), "refused");
    reload("public_keys = [", "failed");
    assert_eq!((unsigned(), server.post(&site, &body).0), (401, 200), "the old set stays");
    assert_eq!(server.metric("mailtrail_auth_public_keys"), 1.0);
    let (_, detail) = request(server.metrics, "GET", "/readyz", &[], b"").unwrap();
    assert!(detail.contains("\"outcome\":\"failed\""), "{detail}");
    // Another credential beside it, then without the first: a rotation.
    reload(&format!("basic_auth = [\"{CREDENTIALS}\", \"b:2\"]\npublic_keys = [\"{key}\"]"), "applied");
    assert_eq!(server.metric("mailtrail_auth_basic_credentials"), 2.0);
    reload(&format!("basic_auth = [\"b:2\"]\npublic_keys = [\"{key}\"]"), "applied");
    assert_eq!(server.post(&site, &body).0, 401);
    let log = server.stop();
    assert!(log.contains("no public key is left") && log.contains("--allow-weaker"), "{log}");
    assert!(log.contains("authentication was") && log.contains("is now"), "{log}");

    site.configure(&format!("{basic_auth}public_keys = [\"{key}\"]"));
    let server = site.try_serve_with(&["--allow-weaker"]).unwrap();
    site.configure(&basic_auth);
    server.signal(rustix::process::Signal::HUP);
    wait_for("the weaker set", || {
        let headers = [basic(CREDENTIALS), ("Content-Length".to_owned(), body.len().to_string())];
        request(server.address, "POST", "/event", &headers, &body).unwrap().0 == 200
    });
    assert!(server.log().contains("authentication is weaker from now on"), "{}", server.log());
}

#[test]
fn the_answer_counts_what_was_kept() {
    let site = Site::new();
    let server = site.serve();
    assert_eq!(server.post(&site, b"[]"), (200, "{\"accepted\":0,\"quarantined\":0}".to_owned()));
    assert_eq!(server.post(&site, &one("a")), (200, "{\"accepted\":1,\"quarantined\":0}".to_owned()));
    let mixed = b"[{\"event\":\"open\",\"timestamp\":1700000000},{\"event\":\"open\"},7,{bad},{\"event\":\"click\",\"timestamp\":\"1700000001\"}]";
    assert_eq!(server.post(&site, mixed), (200, "{\"accepted\":2,\"quarantined\":3}".to_owned()));
    // Authentic, but no JSON at all behind the first bracket: kept sealed, not refused.
    assert_eq!(server.post(&site, b"[{\"event\":"), (200, "{\"accepted\":0,\"quarantined\":1}".to_owned()));
    // A bare object, with byte order mark.
    let bom = "\u{feff}{\"event\":\"open\",\"timestamp\":1700000005}";
    assert_eq!(server.post(&site, bom.as_bytes()).1, "{\"accepted\":1,\"quarantined\":0}");
    server.wait_drained();
    let trail = site.trail();
    let events: i64 = trail.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    let sealed: i64 = trail.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0)).unwrap();
    assert_eq!((events, sealed), (4, 4));
}

#[test]
fn a_connection_is_used_again_and_health_is_told() {
    let site = Site::new();
    let server = site.serve();
    let mut client = Client::connect(server.address);
    for n in 0..20 {
        let body = one(&format!("k{n}"));
        assert_eq!(client.request("POST", "/event", &site.honest_headers(&body), &body).unwrap().0, 200);
        assert_eq!(client.request("GET", "/healthz", &[], b"").unwrap(), (200, "ok\n".to_owned()));
    }
    assert_eq!(client.request("GET", "/readyz", &[], b"").unwrap(), (200, "ready\n".to_owned()));
    assert_eq!(server.metric("mailtrail_items_accepted_total"), 20.0);
    assert_eq!(server.metric("mailtrail_posts_total"), 20.0);
}

#[test]
fn several_credentials_and_keys_hold_at_once_and_are_replaced_without_a_restart() {
    let old = Site::new();
    let next = Site::new();
    let (old_key, next_key) = (old.signer.public_key().to_owned(), next.signer.public_key().to_owned());
    old.configure(&format!("basic_auth = [\"a:1\", \"b:2:3\"]\npublic_keys = [\"{old_key}\", \"{next_key}\"]\n"));
    let server = old.serve();
    let post = |site: &Site, credentials: &str, id: &str| {
        let body = one(id);
        let mut headers = site.honest_headers(&body);
        headers[0] = basic(credentials);
        request(server.address, "POST", "/event", &headers, &body).unwrap().0
    };
    assert_eq!(post(&old, "a:1", "1"), 200);
    assert_eq!(post(&next, "b:2:3", "2"), 200);
    assert_eq!(post(&next, "a:2:3", "3"), 401, "user of one, password of the other");

    old.configure(&format!("basic_auth = [\"b:2:3\"]\npublic_keys = [\"{next_key}\"]\n"));
    server.signal(rustix::process::Signal::HUP);
    wait_for("the old credentials to end", || post(&old, "a:1", "4") == 401);
    assert_eq!(post(&next, "b:2:3", "5"), 200);
    assert_eq!(post(&old, "b:2:3", "6"), 401);

    // A mistake changes nothing.
    old.configure("basic_auth = [\"\"]\n");
    server.signal(rustix::process::Signal::HUP);
    wait_for("the mistake to be told", || server.log().contains("reload failed"));
    assert_eq!(post(&next, "b:2:3", "7"), 200);

    server.wait_drained();
    let trail = old.trail();
    let mut query = trail.prepare("SELECT DISTINCT verified_by FROM sendgrid_event ORDER BY 1").unwrap();
    let proofs: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut ids = [old_key, next_key].map(|key| sendgrid_events::PublicKey::parse(&key).unwrap().id().to_string());
    ids.sort();
    assert_eq!(proofs, ids);
}

#[test]
fn observe_accepts_what_enforce_would_refuse_and_says_so() {
    let site = Site::new();
    let key = site.signer.public_key();
    site.configure(&format!("basic_auth = [\"a:1\"]\npublic_keys = [\"{key}\"]\nsignature = \"observe\"\n"));
    let server = site.serve();
    let body = one("o");
    let length = ("Content-Length".to_owned(), body.len().to_string());
    assert_eq!(request(server.address, "POST", "/event", &[basic("a:1"), length], &body).unwrap().0, 200);
    let mut signed = site.honest_headers(&one("p"));
    signed[0] = basic("a:1");
    assert_eq!(request(server.address, "POST", "/event", &signed, &one("p")).unwrap().0, 200);
    assert_eq!(server.metric("mailtrail_signature_observed_total"), 1.0);
    server.wait_drained();
    let proof = |id: &str| -> Option<String> {
        let query = "SELECT verified_by FROM sendgrid_event WHERE sg_event_id = ?1";
        site.trail().query_row(query, [id], |row| row.get(0)).unwrap()
    };
    assert_eq!(proof("o").as_deref(), Some("basic"), "the signature did not vouch for it");
    assert_ne!(proof("p").as_deref(), Some("basic"));
}

#[test]
fn a_configuration_without_protection_does_not_start() {
    for (receive, expected) in [
        ("", "insecure_no_auth"),
        ("signature = \"enforce\"\n", "public_keys"),
        ("basic_auth = [\"user:\"]\n", "basic_auth"),
        ("basic_auth = [\"a:1\"]\npublic_keys = [\"MFkwnonsense\"]\n", "public"),
        ("insecure_no_auth = true\nlisten = \"0.0.0.0:0\"\n", ""),
    ] {
        let site = Site::new();
        site.configure(receive);
        let said = site.try_serve().err().unwrap_or_else(|| panic!("started with {receive:?}"));
        assert!(said.contains(expected), "{receive:?} said:\n{said}");
    }
}

#[test]
fn a_second_serve_on_the_same_files_is_refused() {
    let site = Site::new();
    let first = site.serve();
    let said = site.try_serve().err().expect("a second serve is refused");
    assert!(said.contains(&first.process_id().to_string()), "names the process: {said}");
    assert_eq!(first.post(&site, &one("z")).0, 200, "the first one goes on");
}

#[test]
fn stopping_loses_nothing_and_says_that_it_stopped() {
    let site = Site::new();
    let server = site.serve();
    let body =
        batch(&(0..2000).map(|n| event(&format!("s{n}"), "s@example.com", "open", 1_700_000_000)).collect::<Vec<_>>());
    assert_eq!(server.post(&site, &body).0, 200);
    // An open keep-alive connection does not hold the stop up.
    let _idle = Client::connect(server.address);
    let log = server.stop();
    assert!(log.contains("stopped"));
    let stored: i64 = site.trail().query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    let again = site.serve();
    again.wait_drained();
    let after: i64 = site.trail().query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(after, 2000, "{stored} were in the trail when it stopped");
}

#[test]
fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let server = site.serve();
    assert_eq!(server.post(&site, &one("f")).0, 200);
    server.wait_drained();
    for entry in std::fs::read_dir(site.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}
