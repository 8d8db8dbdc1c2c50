//! Whoever is not SendGrid gets nothing stored, learns nothing, and costs the others nothing.

use std::time::{Duration, Instant};

use crate::support::{Client, Running, Site, basic, batch, event, now, request, wait_for};

fn body() -> Vec<u8> {
    batch(&[event("a1", "jane@example.com", "delivered", 1_700_000_000)])
}

fn stored(site: &Site, server: &Running) -> i64 {
    server.wait_drained();
    site.trail().query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap()
}

#[test]
fn forged_replayed_and_altered_posts_are_refused() {
    let site = Site::new();
    let stranger = Site::new();
    let server = site.serve();
    let body = body();
    let honest = site.honest_headers(&body);
    let without = |name: &str| honest.iter().filter(|(n, _)| n != name).cloned().collect::<Vec<_>>();
    let with = |name: &str, value: &str| {
        let mut headers = without(name);
        headers.push((name.to_owned(), value.to_owned()));
        headers
    };
    const SIGNATURE: &str = "X-Twilio-Email-Event-Webhook-Signature";
    const TIMESTAMP: &str = "X-Twilio-Email-Event-Webhook-Timestamp";
    let mut wrong_password = vec![basic("sendgrid:pass:worD")];
    wrong_password.extend(without("Authorization"));
    let mut wrong_user = vec![basic("sendgriD:pass:word")];
    wrong_user.extend(without("Authorization"));

    for (what, headers) in [
        ("no credentials", without("Authorization")),
        ("wrong password", wrong_password),
        ("wrong user", wrong_user),
        ("another scheme", with("Authorization", "Bearer pass:word")),
        ("broken base64", with("Authorization", "Basic !!!")),
        ("no signature", without(SIGNATURE)),
        ("no timestamp", without(TIMESTAMP)),
        ("another's signature", stranger.honest_headers(&body)),
        ("garbage signature", with(SIGNATURE, "AAAA")),
        ("empty signature", with(SIGNATURE, "")),
        ("altered timestamp", with(TIMESTAMP, &(now() - 1).to_string())),
        ("a timestamp with a sign", with(TIMESTAMP, &format!("+{}", now()))),
        ("signed 26 hours ago", site.headers_signed_at(now() - 26 * 3600, &body)),
        ("signed ten minutes ahead", site.headers_signed_at(now() + 600, &body)),
    ] {
        let (status, text) = request(server.address, "POST", "/event", &headers, &body).unwrap();
        assert_eq!((status, text.as_str()), (401, "unauthorized\n"), "{what}");
    }
    // Every cut and every changed byte of the body breaks the signature.
    for at in (0..body.len()).step_by(7) {
        let mut altered = body.clone();
        altered[at] ^= 1;
        let status = request(server.address, "POST", "/event", &honest, &altered).unwrap().0;
        assert!(status == 401 || status == 400, "byte {at} changed: {status}");
    }
    assert_eq!(stored(&site, &server), 0);

    // A retry of yesterday is taken: SendGrid repeats for 24 hours and may not sign anew.
    let (status, _) =
        request(server.address, "POST", "/event", &site.headers_signed_at(now() - 24 * 3600, &body), &body).unwrap();
    assert_eq!(status, 200);
    // The same POST again is acknowledged, and kept once.
    assert_eq!(request(server.address, "POST", "/event", &honest, &body).unwrap().0, 200);
    assert_eq!(stored(&site, &server), 1);
}

#[test]
fn digits_cannot_move_between_timestamp_and_body() {
    let site = Site::new();
    let server = site.serve();
    // Signed over "1700000000" + "0[…]": nothing separates the two, so the form of each must.
    let body = b"0[{\"event\":\"open\",\"timestamp\":1700000000}]";
    let (status, _) = request(server.address, "POST", "/event", &site.honest_headers(body), body).unwrap();
    assert_eq!(status, 400);
    assert_eq!(stored(&site, &server), 0);
}

#[test]
fn requests_that_could_be_read_in_two_ways_are_refused_and_cut() {
    let site = Site::new();
    let server = site.serve();
    let body = body();
    let signed = site.signer.sign(now(), &body).unwrap();
    let (signature, timestamp) = (signed.signature, signed.timestamp);
    let authorization = basic(crate::support::CREDENTIALS).1;
    let auth = format!(
        "Host: {}\r\nAuthorization: {authorization}\r\nX-Twilio-Email-Event-Webhook-Signature: {signature}\r\n\
         X-Twilio-Email-Event-Webhook-Timestamp: {timestamp}\r\n",
        server.address
    );
    let length = body.len();
    let smuggled = "POST /event HTTP/1.1\r\nHost: x\r\n\r\n";
    for (what, lines) in [
        ("length before chunked", format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n")),
        ("chunked before length", format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n")),
        ("the same length twice", format!("Content-Length: {length}\r\nContent-Length: {length}\r\n")),
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 3\r\n")),
        ("a list of lengths", format!("Content-Length: {length}, {length}\r\n")),
        ("a signed length", format!("Content-Length: +{length}\r\n")),
        (
            "a second signature",
            format!("Content-Length: {length}\r\nx-twilio-email-event-webhook-signature: {signature}\r\n"),
        ),
        (
            "a second timestamp",
            format!("Content-Length: {length}\r\nX-TWILIO-EMAIL-EVENT-WEBHOOK-TIMESTAMP: {timestamp}\r\n"),
        ),
        ("a second authorization", format!("Content-Length: {length}\r\nAuthorization: {authorization}\r\n")),
        ("a space before the colon", format!("Content-Length : {length}\r\n")),
        ("chunked after another coding", "Transfer-Encoding: gzip, chunked\r\n".to_owned()),
        ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n".to_owned()),
        ("chunked that is not last", "Transfer-Encoding: chunked, identity\r\n".to_owned()),
        ("a folded header", format!("Content-Length: {length}\r\nX-A: a\r\n b\r\n")),
    ] {
        let mut client = Client::connect(server.address);
        client.send(format!("POST /event HTTP/1.1\r\n{auth}{lines}\r\n").as_bytes());
        client.send(&body);
        client.send(smuggled.as_bytes());
        let (status, ..) = client.answer().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(status, 400, "{what}");
        assert!(client.answer().is_none(), "{what}: a second request was read out of the first one's body");
    }
    // HTTP/1.1 asks for a Host.
    let mut client = Client::connect(server.address);
    let hostless = auth.split_once("\r\n").unwrap().1;
    client.send(format!("POST /event HTTP/1.1\r\n{hostless}Content-Length: {length}\r\n\r\n").as_bytes());
    client.send(&body);
    assert_eq!(client.answer().unwrap().0, 400);
    assert!(client.is_closed());
    // Line breaks before a head do not hide it.
    let mut client = Client::connect(server.address);
    let twice = format!("Content-Length: {length}\r\nContent-Length: {length}\r\n");
    client.send(format!("\r\n\r\nPOST /event HTTP/1.1\r\n{auth}{twice}\r\n").as_bytes());
    client.send(&body);
    assert_eq!(client.answer().unwrap().0, 400);
    assert_eq!(stored(&site, &server), 0);

    // A second request sent before the first is answered is not trusted either.
    let mut client = Client::connect(server.address);
    let one = [format!("POST /event HTTP/1.1\r\n{auth}Content-Length: {length}\r\n\r\n").as_bytes(), &body].concat();
    client.send(&[one.clone(), one].concat());
    assert_eq!(client.answer().unwrap().0, 200);
    assert_eq!(client.answer().unwrap().0, 400);
}

/// The next head on a connection must not be looked for in a body that was not read.
#[test]
fn a_connection_ends_with_the_answer_to_a_request_whose_body_was_not_read() {
    for more in ["", "behind_proxy = true\n"] {
        let site = Site::with(more);
        let server = site.serve();
        let body = body();
        let mut inner = format!("POST /event HTTP/1.1\r\nHost: {}\r\n", server.address);
        for (name, value) in site.honest_headers(&body) {
            inner.push_str(&format!("{name}: {value}\r\n"));
        }
        let inner = [inner.as_bytes(), b"\r\n", &body].concat();
        for (path, length) in [("/healthz", "Content-Length: 100000"), ("/readyz", "Transfer-Encoding: chunked")] {
            let mut client = Client::connect(server.address);
            client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n").as_bytes());
            client.send(&inner);
            let (status, headers, _) = client.answer().unwrap();
            assert_eq!((status, headers.get("connection").map(String::as_str)), (200, Some("close")), "{path}");
            client.send(&inner);
            assert!(client.answer().is_none(), "{path}: a second request was answered");
        }
        // A health check without a body keeps its connection.
        let mut client = Client::connect(server.address);
        for _ in 0..2 {
            assert_eq!(client.request("GET", "/healthz", &[], b"").unwrap().0, 200);
        }
        assert_eq!(stored(&site, &server), 0);
    }
}

/// The head of a POST to `/event`, signed over `body` and with these further lines.
fn head_of(site: &Site, server: &Running, body: &[u8], more: &str) -> Vec<u8> {
    let mut head = format!("POST /event HTTP/1.1\r\nHost: {}\r\n{more}", server.address);
    for (name, value) in site.honest_headers(body) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// With the signature alone, anybody can make the receiver read a body before it is refused.
#[test]
fn bodies_that_nothing_has_proven_do_not_keep_others_out() {
    let site = Site::new();
    let limits = "max_body = \"1MiB\"\nmemory_budget = \"8MiB\"\nmax_connections = 64\n";
    site.configure(&format!("public_keys = [\"{}\"]\n{limits}", site.signer.public_key()));
    let server = site.serve();
    let large = vec![b' '; 1 << 20];
    let mut holders = Vec::new();
    for _ in 0..9 {
        let mut client = Client::connect(server.address);
        client.send(&head_of(&site, &server, &large, ""));
        client.send(&large[..large.len() - 4096]);
        holders.push(client);
    }
    let mut dribblers: Vec<Client> = (0..100).map(|_| Client::connect(server.address)).collect();
    for client in &mut dribblers {
        client.send(&head_of(&site, &server, &large, ""));
        client.send(b"[");
    }
    for n in 0..48 {
        let small = batch(&[event(&format!("s{n}"), "jane@example.com", "delivered", 1_700_000_000)]);
        assert_eq!(server.post(&site, &small).0, 200, "{n}");
    }
    // A large one finds room as soon as those that stand still are slow enough to be given up.
    let events: Vec<String> =
        (0..3_000).map(|n| event(&format!("l{n}"), "jane@example.com", "open", 1_700_000_000)).collect();
    let honest = batch(&events);
    assert!(honest.len() > 512 * 1024);
    let mut holders: Vec<Client> = (0..9)
        .map(|_| {
            let mut client = Client::connect(server.address);
            client.send(&head_of(&site, &server, &large, ""));
            client.send(&large[..large.len() - 4096]);
            client
        })
        .chain(holders)
        .collect();
    wait_for("room for a large body", || {
        holders.iter_mut().for_each(|client| client.send(b" "));
        // The answer may be lost where the connection is cut under a client that is still sending.
        request(server.address, "POST", "/event", &site.honest_headers(&honest), &honest)
            .is_some_and(|(status, _)| status == 200)
    });
    assert_eq!(stored(&site, &server), 48 + 3_000);
}

#[test]
fn a_refused_body_that_a_proxy_sends_on_slowly_can_be_cut_off() {
    let site = Site::with("behind_proxy = true\nmax_connections = 16\n");
    let server = site.serve();
    let mut slow: Vec<Client> = (0..40).map(|_| Client::connect(server.address)).collect();
    for client in &mut slow {
        client.send(b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n[");
    }
    for n in 0..20 {
        let small = batch(&[event(&format!("s{n}"), "jane@example.com", "delivered", 1_700_000_000)]);
        assert_eq!(server.post(&site, &small).0, 200, "{n}");
    }
}

/// SendGrid posts from few addresses: one that a verified POST came from is never limited.
#[test]
fn a_client_without_a_verified_post_gets_a_part_of_the_memory_and_sendgrid_all_of_it() {
    let site = Site::with(
        "max_body = \"1MiB\"\nmemory_budget = \"8MiB\"\nbehind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n",
    );
    let server = site.serve();
    let events: Vec<String> =
        (0..4_000).map(|n| event(&format!("p{n}"), "jane@example.com", "open", 1_700_000_000)).collect();
    let large = batch(&events);
    let from = |address: &str| format!("X-Forwarded-For: 6.6.6.6, {address}\r\n");
    let begin = |address: &str| {
        let mut client = Client::connect(server.address);
        client.send(&head_of(&site, &server, &large, &from(address)));
        client.send(&large[..large.len() - 1]);
        client
    };
    let mut first = begin("203.0.113.1");
    first.send(&large[large.len() - 1..]);
    assert_eq!(first.answer().unwrap().0, 200);
    // All at once far beyond the part of one client, and all are taken.
    let mut peak: Vec<Client> = (0..6).map(|_| begin("203.0.113.1")).collect();
    for client in &mut peak {
        client.send(&large[large.len() - 1..]);
    }
    for client in &mut peak {
        assert_eq!(client.answer().map(|(status, ..)| status), Some(200));
    }
    let mut strangers = Vec::new();
    wait_for("a stranger's part to be full", || {
        strangers.push(begin("203.0.113.2"));
        server.metric("mailtrail_refused_total{reason=\"client_memory_full\"}") > 0.0
    });
    assert!(strangers.len() < 20, "{} bodies", strangers.len());
}

/// The memory of a body is in use until the work on it ends, whether its client waits for the answer or not.
#[test]
fn work_that_outlives_its_client_keeps_its_share_of_the_memory() {
    let site = Site::with("max_body = \"4MiB\"\nmemory_budget = \"4MiB\"\n");
    let server = site.serve();
    let events: Vec<String> =
        (0..11_000).map(|n| event(&format!("w{n}"), "jane@example.com", "open", 1_700_000_000)).collect();
    let large = batch(&events);
    assert!(large.len() > 2 << 20 && large.len() < 4 << 20);
    for _ in 0..24 {
        let mut client = Client::connect(server.address);
        client.send(&head_of(&site, &server, &large, ""));
        client.send(&large);
    }
    wait_for("a body to be refused", || server.metric("mailtrail_refused_total{reason=\"memory_full\"}") > 0.0);
    assert!(server.peak_memory_mib() < 150, "{} MiB", server.peak_memory_mib());
    wait_for("the memory to be free again", || {
        request(server.address, "POST", "/event", &site.honest_headers(&large), &large)
            .is_some_and(|(status, _)| status == 200)
    });
}

#[test]
fn what_never_becomes_a_request_is_counted_by_cause_and_named_in_the_log() {
    let site = Site::new();
    let server = site.serve();
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "a".repeat(20 * 1024));
    for (reason, bytes, words) in [
        ("proxy_protocol", &b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n"[..], "PROXY protocol"),
        ("proxy_protocol", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "PROXY protocol"),
        ("tls_on_plain_port", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "this port speaks plain HTTP"),
        ("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
        ("head_too_large", long.as_bytes(), "larger than 16 KiB"),
        ("head_invalid", b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "not valid HTTP/1.1"),
    ] {
        let metric = format!("mailtrail_refused_total{{reason=\"{reason}\"}}");
        let before = server.metric(&metric);
        let mut client = Client::connect(server.address);
        client.send(bytes);
        wait_for(reason, || server.metric(&metric) > before);
        wait_for(words, || server.log().contains(words));
    }
    assert_eq!(server.post(&site, &body()).0, 200);
}

#[test]
fn a_post_to_another_path_is_reported_if_its_credentials_are_right() {
    let site = Site::new();
    let server = site.serve();
    let body = body();
    for path in ["/event/", "//event", "/hooks/event"] {
        assert_eq!(request(server.address, "POST", path, &site.honest_headers(&body), &body).unwrap().0, 404);
    }
    let without_password: Vec<_> =
        site.honest_headers(&body).into_iter().filter(|(name, _)| name != "Authorization").collect();
    assert_eq!(request(server.address, "POST", "/other", &without_password, &body).unwrap().0, 404);
    assert_eq!(server.metric("mailtrail_refused_total{reason=\"wrong_path\"}"), 3.0);
    assert_eq!(server.metric("mailtrail_refused_total{reason=\"wrong_path_unproven\"}"), 1.0);
    wait_for("the warning", || server.log().contains("came to /event/, but events are received at /event"));
    assert!(!server.log().contains("/other"));
    let (_, detail) = request(server.metrics, "GET", "/readyz", &[], b"").unwrap();
    assert!(detail.contains("\"wrong_path\":\"/hooks/event\""), "{detail}");
}

#[test]
fn a_chunked_body_is_accepted_up_to_the_limit() {
    let site = Site::with("max_body = \"64KiB\"\n");
    let server = site.serve();
    let chunked = |body: &[u8]| {
        let mut headers = site.honest_headers(body);
        headers.retain(|(name, _)| name != "Content-Length");
        headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
        let mut wire = Vec::new();
        for chunk in body.chunks(1000) {
            wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        request(server.address, "POST", "/event", &headers, &wire)
    };
    assert_eq!(chunked(&body()).unwrap().0, 200);
    let large = batch(&vec![event("b", "b@example.com", "open", 1_700_000_000); 500]);
    assert!(large.len() > 64 * 1024);
    // The answer may be lost where the connection is cut under a client that is still sending.
    assert!(chunked(&large).is_none_or(|(status, _)| status == 413));
    assert_eq!(stored(&site, &server), 1);
}

#[test]
fn too_large_compressed_and_misdirected_posts_are_refused_before_their_body() {
    let site = Site::with("max_body = \"64KiB\"\n");
    let server = site.serve();
    let post = |extra: &[(&str, &str)]| {
        let body = body();
        let mut headers = site.honest_headers(&body);
        for (name, value) in extra {
            headers.retain(|(n, _)| n != name);
            headers.push(((*name).to_owned(), (*value).to_owned()));
        }
        // No byte of the body is sent: the answer must come from the head alone.
        request(server.address, "POST", "/event", &headers, b"").unwrap().0
    };
    assert_eq!(post(&[("Content-Length", "65537")]), 413);
    assert_eq!(post(&[("Content-Length", "99999999999999")]), 413);
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, identity"] {
        assert_eq!(post(&[("Content-Encoding", encoding)]), 415, "{encoding}");
    }
    assert_eq!(request(server.address, "GET", "/event", &[], b"").unwrap().0, 405);
    assert_eq!(request(server.address, "POST", "/", &[], b"").unwrap().0, 404);
    assert_eq!(request(server.address, "POST", "/event/", &[], b"").unwrap().0, 404);
    let (status, text) = request(server.address, "GET", "/metrics", &[], b"").unwrap();
    assert_eq!((status, text.as_str()), (404, "not found\n"), "metrics stay on their own listener");
    assert_eq!(stored(&site, &server), 0);
}

#[test]
fn slow_clients_are_cut_off() {
    let site = Site::with("header_timeout = \"1s\"\nbody_timeout = \"1s\"\n");
    let server = site.serve();

    let started = Instant::now();
    let mut silent = Client::connect(server.address);
    let mut dripping = Client::connect(server.address);
    let address = server.address;
    let dripper = std::thread::spawn(move || {
        dripping.send(b"POST /event HTTP/1.1\r\nHost: a\r\n");
        for _ in 0..100 {
            dripping.send(b"X-A: a\r\n");
            std::thread::sleep(Duration::from_millis(100));
            if started.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
        assert!(dripping.is_closed(), "a head that never ends is cut off");
    });
    assert!(silent.is_closed(), "a connection that says nothing is cut off");
    assert!(started.elapsed() < Duration::from_secs(5));
    dripper.join().unwrap();

    let body = body();
    let mut slow_body = Client::connect(address);
    let mut head = format!("POST /event HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in site.honest_headers(&body) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    slow_body.send(format!("{head}\r\n").as_bytes());
    slow_body.send(&body[..10]);
    assert_eq!(slow_body.answer().unwrap().0, 408);

    // A body that breaks off is never acknowledged.
    let mut cut = Client::connect(address);
    cut.send(format!("{head}\r\n").as_bytes());
    cut.send(&body[..body.len() - 1]);
    drop(cut);
    assert_eq!(stored(&site, &server), 0);
}

#[test]
fn many_connections_and_greedy_bodies_cost_the_others_nothing() {
    let site = Site::with("max_connections = 64\nmemory_budget = \"16MiB\"\nheader_timeout = \"20s\"\n");
    let server = site.serve();
    // Far more idle connections than there are places.
    let _idle: Vec<Client> = (0..300).map(|_| Client::connect(server.address)).collect();
    // Slow heads.
    let mut slow: Vec<Client> = (0..100).map(|_| Client::connect(server.address)).collect();
    for client in &mut slow {
        client.send(b"POST /event HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    }
    // Bodies announced at the limit, of which little comes.
    let announced = vec![b' '; 8 * 1024 * 1024];
    let mut greedy = Vec::new();
    for _ in 0..30 {
        let mut client = Client::connect(server.address);
        let mut head = format!("POST /event HTTP/1.1\r\nHost: {}\r\n", server.address);
        for (name, value) in site.honest_headers(&announced) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        client.send(format!("{head}\r\n[").as_bytes());
        greedy.push(client);
    }
    for n in 0..50 {
        let started = Instant::now();
        let body = batch(&[event(&format!("m{n}"), "m@example.com", "delivered", 1_700_000_000)]);
        assert_eq!(server.post(&site, &body).0, 200);
        assert!(started.elapsed() < Duration::from_secs(5), "an honest POST waited {:?}", started.elapsed());
    }
    assert_eq!(request(server.address, "GET", "/healthz", &[], b"").unwrap().0, 200);
    assert_eq!(stored(&site, &server), 50);
    assert!(server.peak_memory_mib() < 150, "{} MiB", server.peak_memory_mib());
}

#[test]
fn bodies_beyond_the_memory_budget_are_asked_to_come_again() {
    let site = Site::with("max_body = \"4MiB\"\nmemory_budget = \"4MiB\"\n");
    let server = site.serve();
    let large = vec![b' '; 3 * 1024 * 1024];
    let mut holders = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(server.address);
        let mut head = format!("POST /event HTTP/1.1\r\nHost: {}\r\n", server.address);
        for (name, value) in site.honest_headers(&large) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        client.send(format!("{head}\r\n").as_bytes());
        client.send(&large[..large.len() - 1]);
        holders.push(client);
    }
    // The second of them did not fit beside the first.
    wait_for("one of the two to be refused", || server.metric("mailtrail_refused_total{reason=\"memory_full\"}") > 0.0);
    // Small bodies still pass.
    assert_eq!(server.post(&site, &body()).0, 200);
    drop(holders);
    wait_for("the memory to be free again", || {
        server.post(&site, &batch(&vec![event("x", "x@example.com", "open", 1_700_000_000); 12_000])).0 == 200
    });
}

#[test]
fn without_authentication_only_loopback_is_served() {
    let site = Site::new();
    site.configure("insecure_no_auth = true\n");
    let server = site.serve();
    let body = body();
    let length = ("Content-Length".to_owned(), body.len().to_string());
    let mut client = Client::connect(server.address);
    client.send(
        [
            format!("POST /event HTTP/1.1\r\nHost: mail.example.com\r\nContent-Length: {}\r\n\r\n", body.len())
                .as_bytes(),
            &body,
        ]
        .concat()
        .as_slice(),
    );
    assert_eq!(client.answer().unwrap().0, 403);
    let forwarded = [length.clone(), ("X-Forwarded-For".to_owned(), "203.0.113.9".to_owned())];
    assert_eq!(request(server.address, "POST", "/event", &forwarded, &body).unwrap().0, 403);
    let foreign = [length.clone(), ("Origin".to_owned(), "https://evil.example".to_owned())];
    assert_eq!(request(server.address, "POST", "/event", &foreign, &body).unwrap().0, 403);
    assert_eq!(request(server.address, "POST", "/event", &[length], &body).unwrap().0, 200);
    assert_eq!(stored(&site, &server), 1);
}
