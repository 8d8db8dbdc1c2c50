//! No address in any file that mailtrail writes, nor in what it says, at the most talkative level.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::support::{Client, Site, basic, batch, now};

const ADDRESS: &str = "Jane.Q.Public+News@Customers.Example.COM";

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn no_address_is_written_anywhere() {
    let mut site = Site::new();
    site.environment("MAILTRAIL_LOG", "trace");
    site.environment("RUST_LOG", "trace");
    let server = site.serve();
    let lower = ADDRESS.to_lowercase();
    let forms = [
        ADDRESS.to_owned(),
        lower.clone(),
        ADDRESS.replace('@', "%40").replace('+', "%2B"),
        percent(&lower),
        percent(&percent(&lower)),
        lower.replace('@', "&#64;"),
        lower.replace('@', "="),
        hex(&lower),
        STANDARD_NO_PAD.encode(&lower),
        STANDARD_NO_PAD.encode(format!("x{lower}")),
        URL_SAFE_NO_PAD.encode(format!("xy{lower}")),
        "someone.else@elsewhere.example".to_owned(),
    ];
    let mut events = Vec::new();
    for (n, form) in forms.iter().enumerate() {
        let quoted = serde_json::to_string(form).unwrap();
        let text = serde_json::to_string(&format!("550 5.1.1 <{form}>: user unknown")).unwrap();
        let url = serde_json::to_string(&format!("https://click.example/u/{form}?to={form}#{form}")).unwrap();
        for name in ["bounce", "deferred", "dropped", "click", "delivered", "novel_event"] {
            events.push(format!(
                "{{\"email\":\"{ADDRESS}\",\"event\":\"{name}\",\"timestamp\":1700000000,\"sg_event_id\":\"p{n}{name}\",\
                 \"reason\":{text},\"response\":{text},\"message\":{text},\"url\":{url},\"smtp-id\":{quoted},\"status\":{quoted},\
                 \"useragent\":{text},\"category\":[{quoted}],\"customer\":{quoted},{quoted}:{{\"nested\":[{quoted},{{{quoted}:{text}}}]}},\
                 \"ip\":\"203.0.113.77\"}}"
            ));
        }
        // Unreadable parts are kept sealed.
        events.push(format!("{{\"email\":{quoted}}}"));
        events.push(format!("{{bad {form}}}"));
    }
    let body = batch(&events);
    let (status, answer) = server.post(&site, &body);
    assert_eq!(status, 200, "{answer}");
    // Refused requests are no way into the log either.
    let mut client = Client::connect(server.address);
    client.send(format!("POST /{ADDRESS} HTTP/1.1\r\nHost: {ADDRESS}\r\nX-Note: {ADDRESS}\r\n\r\n").as_bytes());
    assert_eq!(client.answer().unwrap().0, 404);
    let mut forged = site.honest_headers(&body);
    forged[0] = basic(&format!("{ADDRESS}:{ADDRESS}"));
    assert_eq!(crate::support::request(server.address, "POST", "/event", &forged, &body).unwrap().0, 401);
    assert_eq!(
        crate::support::request(server.address, "POST", "/event", &site.headers_signed_at(now() - 3600, b"[]"), &body)
            .unwrap()
            .0,
        401
    );
    server.wait_drained();
    // While it still runs: the write-ahead logs are there too.
    look_for_forms(&site, &forms);
    let metrics = crate::support::request(server.metrics, "GET", "/metrics", &[], b"").unwrap().1;
    let log = server.stop();
    for form in &forms {
        assert!(!contains(log.as_bytes(), form), "the log holds {form}");
        assert!(!contains(metrics.as_bytes(), form), "the metrics hold {form}");
    }
    look_for_forms(&site, &forms);
    let truncated: i64 = site
        .trail()
        .query_row("SELECT count(*) FROM event WHERE ip = '203.0.113.77' AND event = 'click'", [], |r| r.get(0))
        .unwrap();
    assert_eq!(truncated, 0, "a recipient's IP address is cut");
}

fn look_for_forms(site: &Site, forms: &[String]) {
    for entry in std::fs::read_dir(site.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for form in forms {
            assert!(!contains(&bytes, form), "{} holds {form}", path.display());
        }
    }
}

fn contains(bytes: &[u8], form: &str) -> bool {
    let form = form.as_bytes();
    bytes.windows(form.len()).any(|window| window.eq_ignore_ascii_case(form))
}
