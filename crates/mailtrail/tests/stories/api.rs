//! The JSON API: who may ask, what is answered, and that it is what its document says.

mod document;
mod guide;
mod remote;
mod schemathesis;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{Client, Running, Site, batch, event, now, request, wait_for};

/// A server with a token of each role, and some mail.
pub struct Api {
    pub site: Site,
    pub server: Running,
    pub page: SocketAddr,
    pub operator: String,
    pub viewer: String,
}

/// `mailtrail web token`: the token and its entry.
pub fn token(site: &Site, args: &[&str]) -> (String, String) {
    let told = site.ask(&[&["web", "token"], args].concat());
    let (token, entry) = told.trim_end().split_once('\n').unwrap();
    (token.to_owned(), entry.to_owned())
}

/// Gives the page a port and these lines.
pub fn with_page(site: &Site, lines: &str) {
    let path = site.path().join("mailtrail.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let (rest, _) = config.split_once("[web]\n").unwrap();
    site.write_secret("mailtrail.toml", &format!("{rest}[web]\nlisten = \"127.0.0.1:0\"\n{lines}\n"));
}

impl Api {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// With more lines in `[web]`.
    pub fn start_with(lines: &str) -> Self {
        let site = Site::new();
        let (operator, its_entry) = token(&site, &["ci", "--operator"]);
        let (viewer, other_entry) = token(&site, &["board"]);
        // One way of giving them is as good as the other.
        site.write_secret("tokens", &format!("# who asks\n{its_entry}\n{other_entry}\n"));
        with_page(&site, &format!("tokens_file = \"tokens\"\nopen_on_loopback = true\n{lines}"));
        let server = site.serve();
        let page = server.page();
        let api = Self { site, server, page, operator, viewer };
        let at = now() - 60;
        let of_run = |event: String| event.replacen("\"event\"", "\"mailtrail_run\":\"r1\",\"event\"", 1);
        let why = "\"reason\":\"550 no \\u202e such <x@example.net>\",\"status\":\"5.1.1\",\"type\":\"bounce\",\"a\":{\"b\":1.50},\"event\"";
        let events = [
            of_run(event("e1", "alice@example.com", "processed", at)),
            of_run(event("e1d", "alice@example.com", "delivered", at + 1)),
            of_run(event("e2", "bob@example.org", "bounce", at + 2).replacen("\"event\"", why, 1)),
            event("e3", "carol@example.net", "open", at - 30 * 86_400),
            event("e3", "carol@example.net", "deferred", at),
        ];
        assert_eq!(api.server.post(&api.site, &batch(&events)).0, 200);
        api.server.wait_drained();
        api
    }

    /// One request with a token: status, headers, body.
    pub fn call(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, BTreeMap<String, String>, String) {
        let mut client = Client::connect(self.page);
        let (host, length) = (self.page, body.len());
        let head = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        client.send(head.as_bytes());
        client.answer().unwrap()
    }

    /// A question's body, asked by the operator.
    pub fn post(&self, path: &str, body: &Value) -> String {
        let (status, _, answer) = self.call(&self.operator, "POST", path, &body.to_string());
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn problem(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let (status, headers, answer) = self.call(token, method, path, body);
        assert_eq!(headers["content-type"], "application/problem+json", "{path}: {answer}");
        assert_eq!(headers["cache-control"], "no-store");
        let problem: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(problem["status"], status);
        (status, problem["type"].as_str().unwrap().trim_start_matches("urn:mailtrail:problem:").to_owned())
    }
}

#[test]
fn what_is_answered_is_what_the_command_line_prints() {
    let api = Api::start();
    for (args, method, path, body) in [
        (vec!["activity"], "POST", "activity", json!({})),
        (
            vec!["activity", "--email", "ALICE@example.com"],
            "POST",
            "activity",
            json!({"email": ["alice@example.com "]}),
        ),
        (vec!["activity", "--status", "bounce"], "POST", "activity", json!({"status": ["bounce"]})),
        (
            vec!["activity", "--domain", "example.org", "--limit", "1"],
            "POST",
            "activity",
            json!({"domain": ["Example.org"], "limit": 1}),
        ),
        (vec!["timeline", "alice@example.com"], "POST", "timeline", json!({"email": "alice@example.com"})),
        (vec!["timeline", "msge2"], "POST", "timeline", json!({"message": "msge2.recvd-1-2-3.0"})),
        (vec!["tail"], "GET", "newest", json!(null)),
        (vec!["tail", "-n", "2"], "GET", "newest?limit=2", json!(null)),
        (vec!["stats"], "POST", "stats", json!({})),
        (
            vec!["stats", "--by", "domain,status", "--distinct", "recipients", "--since", "2d"],
            "POST",
            "stats",
            json!({"by": ["domain", "status"], "distinct": "recipients", "since": "2d"}),
        ),
        (vec!["runs"], "GET", "runs", json!(null)),
        (vec!["runs", "r1"], "GET", "runs/r1", json!(null)),
        (
            vec!["unreached", "r1", "--list", "list.csv"],
            "POST",
            "unreached",
            json!({"run": "r1", "email": ["Alice@example.com", "bob@example.org"]}),
        ),
        (
            vec!["sent", "--category", "news", "--list", "list.csv"],
            "POST",
            "sent",
            json!({"category": "news", "email": ["Alice@example.com", "bob@example.org"]}),
        ),
    ] {
        std::fs::write(api.site.path().join("list.csv"), "email\nAlice@example.com\nbob@example.org\n").unwrap();
        let printed = api.site.ask(&[&args[..], &["--format", "json"]].concat());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, headers, answered) = api.call(&api.operator, method, path, &body);
        assert_eq!((status, &answered), (200, &printed), "{args:?}");
        assert_eq!(
            (headers["content-type"].as_str(), headers["cache-control"].as_str()),
            ("application/x-ndjson", "no-store")
        );
        assert!(!printed.is_empty(), "{args:?} shows nothing");
    }
    let exported = api.site.ask(&["export", "--out", "-", "--category", "news"]);
    assert_eq!(api.post("export", &json!({"category": ["news"]})), exported);
    assert_eq!(exported.lines().count(), 5);
}

#[test]
fn what_is_said_beside_the_rows_stands_in_a_header() {
    let api = Api::start();
    let (_, headers, _) = api.call(&api.operator, "POST", "activity", r#"{"status":["bounce"]}"#);
    let about: Value = serde_json::from_str(&headers["mailtrail-answer"]).unwrap();
    assert!(about["limited_to"].is_string() && about["scanned"]["why"].is_string(), "{about}");
    let (_, headers, _) = api.call(&api.operator, "POST", "sent", r#"{"run":"r1"}"#);
    assert!(headers["mailtrail-answer"].contains("events_up_to"), "{headers:?}");
    let (_, headers, rows) =
        api.call(&api.operator, "POST", "unreached", r#"{"run":"r1","email":["alice@example.com","x@example.com"]}"#);
    let about: Value = serde_json::from_str(&headers["mailtrail-answer"]).unwrap();
    assert_eq!((about["recipients"].clone(), about["pending"].clone(), rows.as_str()), (json!(2), json!(1), ""));
}

#[test]
fn what_came_after_an_event_is_followed() {
    let api = Api::start();
    let (_, _, newest) = api.call(&api.viewer, "GET", "newest?limit=1", "");
    let last: Value = serde_json::from_str(&newest).unwrap();
    let after = format!("newest?after={}", last["id"]);
    assert_eq!(api.call(&api.viewer, "GET", &after, "").2, "");
    assert_eq!(api.server.post(&api.site, &batch(&[event("late", "alice@example.com", "click", now())])).0, 200);
    api.server.wait_drained();
    let (_, _, rows) = api.call(&api.viewer, "GET", &after, "");
    assert!(rows.lines().count() == 1 && rows.contains("\"late\""), "{rows}");
}

#[test]
fn a_list_with_a_value_that_is_no_address_is_refused_with_its_place() {
    let api = Api::start();
    for (path, body) in [
        ("unreached", r#"{"run":"r1","email":["alice@example.com","Bob <bob@example.com>"]}"#),
        ("sent", r#"{"run":"r1","email":["alice@example.com",""]}"#),
        ("hashes", r#"{"email":["alice@example.com","NULL@"]}"#),
    ] {
        let (status, _, answer) = api.call(&api.operator, "POST", path, body);
        assert!(status == 422 && answer.contains("address 2 of email is none"), "{path}: {status} {answer}");
        assert!(!answer.contains("bob"), "{answer}");
    }
}

#[test]
fn a_viewer_looks_and_takes_no_lists() {
    let api = Api::start();
    for (method, path, body, expected) in [
        ("POST", "activity", "{}", 200),
        ("POST", "activity", r#"{"limit":1000}"#, 200),
        ("POST", "activity", r#"{"limit":1001}"#, 403),
        ("POST", "timeline", r#"{"email":"alice@example.com"}"#, 200),
        ("POST", "stats", "{}", 200),
        ("GET", "runs/r1", "", 200),
        ("POST", "hashes", r#"{"email":["alice@example.com"]}"#, 200),
        ("POST", "export", "{}", 403),
        ("POST", "latest", r#"{"run":"r1"}"#, 403),
        ("POST", "sent", r#"{"run":"r1"}"#, 403),
        ("POST", "unreached", r#"{"run":"r1","email":["a@b.example"]}"#, 403),
        ("GET", "runs/r1/unreached", "", 403),
    ] {
        let (status, _, answer) = api.call(&api.viewer, method, path, body);
        assert_eq!(status, expected, "{path} {body}: {answer}");
    }
    let many = json!({"email": vec!["a@example.com"; 21]}).to_string();
    assert_eq!(api.problem(&api.viewer, "POST", "hashes", &many), (403, "role".to_owned()));
    assert_eq!(api.call(&api.operator, "POST", "hashes", &many).2.lines().count(), 21);
    let log = api.server.stop();
    assert!(log.contains("a list was asked of the API: hashes") && log.contains("token=ci"), "{log}");
}

#[test]
fn a_viewer_pages_through_the_trail_until_its_quota_is_used_up() {
    let api = Api::start_with("viewer_events_per_day = 3\nviewer_addresses_per_day = 2");
    let page = |token: &str, after: u64| api.call(token, "GET", &format!("newest?after={after}&limit=2"), "");
    let (status, _, rows) = page(&api.viewer, 0);
    assert_eq!((status, rows.lines().count()), (200, 2));
    let (status, headers, answer) = page(&api.viewer, 2);
    assert!(
        status == 429 && answer.contains("urn:mailtrail:problem:quota") && answer.contains("1 are left"),
        "{answer}"
    );
    let retry_after: u64 = headers["retry-after"].parse().unwrap();
    assert!((1..=86_400).contains(&retry_after), "{retry_after}");
    // What is left may be taken, in whatever way it is asked for.
    assert_eq!(api.call(&api.viewer, "POST", "activity", r#"{"limit":1}"#).0, 200);
    for (method, path, body) in
        [("GET", "newest", ""), ("POST", "activity", "{}"), ("POST", "timeline", r#"{"email":"alice@example.com"}"#)]
    {
        assert_eq!(api.problem(&api.viewer, method, path, body), (429, "quota".to_owned()), "{path}");
    }
    let two = r#"{"email":["alice@example.com","bob@example.org"]}"#;
    assert_eq!(api.call(&api.viewer, "POST", "hashes", two).0, 200);
    assert_eq!(api.problem(&api.viewer, "POST", "hashes", two), (429, "quota".to_owned()));
    let counted = r#"{"email":["carol@example.net"]}"#;
    assert_eq!(api.problem(&api.viewer, "POST", "stats", counted), (429, "quota".to_owned()));
    assert_eq!(api.call(&api.viewer, "POST", "stats", "{}").0, 200);
    // Operators have none.
    for after in 0..4 {
        assert_eq!(page(&api.operator, after).0, 200);
    }
    let many = json!({"email": vec!["a@example.com"; 150]}).to_string();
    assert_eq!(api.call(&api.operator, "POST", "hashes", &many).0, 200);
    let log = api.server.stop();
    assert!(log.contains("refused a token more events today") && log.contains("token=board"), "{log}");
    assert!(log.contains("a token took addresses from the API") && log.contains("today=150"), "{log}");
}

#[test]
fn a_token_is_kept_as_a_hash_and_ends_when_its_entry_goes() {
    let api = Api::start();
    let entries = std::fs::read_to_string(api.site.path().join("tokens")).unwrap();
    assert!(!entries.contains(&api.operator) && !entries.contains(&api.viewer));
    let (_, entry) = entries.split_once('\n').unwrap();
    let entry = entry.lines().next().unwrap();
    api.site.write_secret("tokens", &format!("{entry}\n"));
    api.server.signal(rustix::process::Signal::HUP);
    wait_for("the token to end", || api.call(&api.viewer, "GET", "runs", "").0 == 401);
    assert_eq!(api.call(&api.operator, "GET", "runs", "").0, 200);

    // In a file of its own from the beginning.
    let told = api.site.ask(&["web", "token", "desk", "--out", "desk.token"]);
    assert!(told.starts_with("desk:viewer:") && told.lines().count() == 1);
    let kept = std::fs::read_to_string(api.site.path().join("desk.token")).unwrap();
    assert!(kept.starts_with("mailtrail_") && kept.trim().len() > 50);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(api.site.path().join("desk.token")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let again = api.site.command(&["web", "token", "desk", "--out", "desk.token"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "a token that is there is not written over");
}

#[test]
fn without_a_token_there_is_no_answer_and_guessing_ends() {
    let api = Api::start();
    let address = api.page;
    // Even where the page is open to everybody on this machine.
    let (status, answer) = request(address, "GET", "/api/v1/runs", &[], b"").unwrap();
    assert_eq!(status, 401, "{answer}");
    for authorization in ["Basic YTpi", "Bearer", "bearer x", "Bearer  "] {
        let header = ("Authorization".to_owned(), authorization.to_owned());
        assert_eq!(request(address, "GET", "/api/v1/runs", &[header], b"").unwrap().0, 401, "{authorization}");
    }
    let (status, headers, _) = api.call("mailtrail_wrong", "GET", "runs", "");
    assert_eq!((status, headers["www-authenticate"].as_str()), (401, "Bearer realm=\"mailtrail\""));
    for _ in 0..10 {
        api.call("mailtrail_wrong", "GET", "runs", "");
    }
    assert_eq!(api.problem("mailtrail_wrong", "GET", "runs", ""), (429, "tries".to_owned()));
    assert_eq!(api.call(&api.viewer, "GET", "runs", "").0, 200, "a right one is taken at any time");
    let log = api.server.stop();
    assert!(log.contains("tokens of the API are being tried") && !log.contains("mailtrail_wrong"), "{log}");
}

#[test]
fn problems_say_what_is_wrong_and_addresses_leave_no_trace() {
    let api = Api::start();
    let who = "jane.doe@example.com";
    for (method, path, body, status, code) in [
        ("GET", format!("activity?email={who}"), String::new(), 405, "method"),
        ("GET", format!("newest?email={who}"), String::new(), 400, "malformed"),
        ("GET", format!("timeline/{who}"), String::new(), 404, "path"),
        ("GET", format!("runs/{who}"), String::new(), 404, "run"),
        ("POST", "activity".to_owned(), format!("{{\"email\":\"{who}\"}}"), 400, "malformed"),
        ("POST", "activity".to_owned(), format!("{{\"{who}\":[]}}"), 400, "malformed"),
        ("POST", "activity".to_owned(), format!("{{\"since\":\"{who}\"}}"), 400, "malformed"),
        ("POST", "activity".to_owned(), format!("{{\"email_hash\":[\"{who}\"]}}"), 400, "malformed"),
        ("POST", "activity".to_owned(), "{\"event\":[\"blocked\"]}".to_owned(), 422, "unanswerable"),
        ("POST", "stats".to_owned(), "{\"by\":[\"colour\"]}".to_owned(), 400, "malformed"),
        ("POST", "timeline".to_owned(), "{}".to_owned(), 400, "malformed"),
        ("POST", "sent".to_owned(), "{\"run\":\"nope\"}".to_owned(), 404, "run"),
        ("POST", "unreached".to_owned(), "{\"run\":\"r1\"}".to_owned(), 422, "unanswerable"),
        ("POST", "unreached".to_owned(), "{\"category\":\"news\"}".to_owned(), 422, "unanswerable"),
        ("POST", "timeline".to_owned(), format!("{{\"email\":\"{}\"}}", "x".repeat(1 << 20)), 413, "too-long"),
        ("DELETE", "runs".to_owned(), String::new(), 405, "method"),
        ("GET", "sql".to_owned(), String::new(), 404, "path"),
    ] {
        let told = api.call(&api.operator, method, &path, &body).2;
        assert!(!told.contains("jane"), "{told}");
        assert_eq!(api.problem(&api.operator, method, &path, &body), (status, code.to_owned()), "{path} {body:.100}");
    }
    let json = ("Content-Length".to_owned(), "2".to_owned());
    let bearer = ("Authorization".to_owned(), format!("Bearer {}", api.operator));
    let (status, _) = request(api.page, "POST", "/api/v1/activity", &[bearer, json], b"{}").unwrap();
    assert_eq!(status, 415, "as another site's form would be sent");
    let log = api.server.stop();
    assert!(!log.contains("jane") && !log.contains(&api.operator), "{log}");
}

#[test]
fn other_hosts_and_other_sites_get_nothing() {
    let api = Api::start();
    let ask = |head: &str| {
        let mut client = Client::connect(api.page);
        client.send(head.as_bytes());
        client.answer().unwrap()
    };
    let token = &api.operator;
    let rebound = format!("GET /api/v1/runs HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n\r\n");
    let (status, headers, _) = ask(&rebound);
    assert_eq!((status, headers["content-type"].as_str()), (421, "application/problem+json"));
    let host = api.page;
    let preflight = format!(
        "OPTIONS /api/v1/activity HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
    );
    let (status, headers, _) = ask(&preflight);
    assert_eq!(status, 405);
    assert!(!headers.keys().any(|name| name.starts_with("access-control")), "{headers:?}");
}
