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
    assert_eq!(stored(&site, &server), 0);

    // A second request sent before the first is answered is not trusted either.
    let mut client = Client::connect(server.address);
    let one = [format!("POST /event HTTP/1.1\r\n{auth}Content-Length: {length}\r\n\r\n").as_bytes(), &body].concat();
    client.send(&[one.clone(), one].concat());
    assert_eq!(client.answer().unwrap().0, 200);
    assert_eq!(client.answer().unwrap().0, 400);
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
    assert_eq!(request(server.address, "POST", "/event", &[length], &body).unwrap().0, 200);
    assert_eq!(stored(&site, &server), 1);
}
