//! The page over BigQuery: the same rows as over the trail, and no question that nobody wished.

use std::net::SocketAddr;

use serde_json::Value;

use crate::contract::events;
use crate::emulator::Emulator;
use crate::support::{Running, Site, batch, request};
use crate::{point, run, wait_for};

/// Where the page is.
fn page(server: &Running) -> SocketAddr {
    let mut found = None;
    wait_for(server, "the page", || {
        let log = server.log();
        found = log.split_once("page on http://").and_then(|(_, rest)| rest.split_once('/')?.0.parse().ok());
        found.is_some()
    });
    found.unwrap()
}

/// A page, or the part of it that a script asks for.
fn get(page: SocketAddr, path: &str, part: Option<&str>) -> String {
    let headers: Vec<_> = part.map(|id| ("HX-Target".to_owned(), id.to_owned())).into_iter().collect();
    let (status, body) = request(page, "GET", path, &headers, b"").unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// What the API says, row by row, without the ids that only one store has. Of one moment each store has an order of its own.
fn api(page: SocketAddr, token: &str, path: &str, body: &str) -> Vec<String> {
    let headers = [
        ("Authorization", format!("Bearer {token}")),
        ("Content-Type", "application/json".to_owned()),
        ("Content-Length", body.len().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let method = if body.is_empty() { "GET" } else { "POST" };
    let (status, answer) = request(page, method, &format!("/api/v1/{path}"), &headers, body.as_bytes()).unwrap();
    assert_eq!(status, 200, "{path}: {answer}");
    let mut rows: Vec<String> = answer
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row.as_object_mut().unwrap().remove("id");
            row.to_string()
        })
        .collect();
    rows.sort();
    rows
}

/// The rows of a list: everything but how an event is named in URLs.
fn rows(html: &str) -> Vec<String> {
    let mut rows: Vec<String> = html
        .split("<tr class=\"row\"")
        .skip(1)
        .map(|row| {
            let mut text = String::new();
            let mut inside = false;
            for c in row.split_once('>').unwrap().1.split("</tr>").next().unwrap().chars() {
                match c {
                    '<' => inside = true,
                    '>' => inside = false,
                    c if !inside => text.push(c),
                    _ => {}
                }
            }
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    // Of one moment, the two stores have an order of their own.
    rows.sort();
    rows
}

/// The first attribute of this name, unescaped.
fn attribute(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&")
}

#[test]
fn both_stores_show_the_same_page() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    for (name, value) in [("LISTEN", "127.0.0.1:0"), ("OPEN_ON_LOOPBACK", "true")] {
        site.environment(&format!("MAILTRAIL_WEB_{name}"), value);
    }
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    let (_, made, _) = run(&site, &["web", "token", "ci", "--operator"]);
    let (token, entry) = made.trim_end().split_once('\n').expect("a token and its entry");
    site.environment("MAILTRAIL_WEB_TOKENS", &serde_json::json!([entry]).to_string());
    let all = events();
    let wanted = all.len() as u64;
    let trail = site.serve();
    for part in all.chunks(16) {
        assert_eq!(trail.post(&site, &batch(part)).0, 200);
    }
    wait_for(&trail, "all events", || emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`") == wanted);
    trail.wait_drained();
    let there = page(&trail);
    let paths = [
        "/activity?since=1d",
        "/activity?event=bounce&since=1d",
        "/activity?status=blocked&since=1d",
        "/activity?category=news&since=1d",
        "/activity?run=spring&since=1d",
        "/activity?reason=FULL&since=1d",
        "/activity?any=1&run=spring&domain=example.org&since=1d",
    ];
    let expected: Vec<_> = paths.iter().map(|path| rows(&get(there, path, Some("list")))).collect();
    assert!(expected.iter().all(|rows| !rows.is_empty()) && expected[0].len() == 50, "{expected:?}");
    let figures = get(there, "/overview/figures?range=24h", None);
    let run_of_trail = get(there, "/runs/spring/figures", None);
    let questions = [
        ("activity", r#"{"category":["news"],"since":"1d"}"#),
        ("timeline", r#"{"email":"user3@example.com"}"#),
        ("stats", r#"{"by":["event","category"],"since":"1d"}"#),
        ("latest", r#"{"category":"news","since":"1d"}"#),
        ("export", r#"{"since":"1d"}"#),
        ("runs", ""),
    ];
    let answers = questions.map(|(path, body)| api(there, token, path, body));
    assert!(answers.iter().all(|rows| !rows.is_empty()), "{answers:?}");
    trail.stop();

    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "false");
    let server = site.serve();
    let here = page(&server);
    // The page is there before its list, says what it reads, and nothing asks by itself.
    let whole = get(here, "/activity?since=1d", None);
    assert!(whole.contains("hx-trigger=\"load\"") && rows(&whole).is_empty(), "{whole}");
    for (path, expected) in paths.iter().zip(&expected) {
        let list = get(here, path, Some("list"));
        assert!(list.contains("BigQuery read ") && !list.contains("hx-trigger=\"every"), "{list}");
        if *path != paths[0] {
            assert_eq!(&rows(&list), expected, "{path}");
        }
    }
    let list = get(here, "/activity?since=1d&live=1", Some("list"));
    assert!(list.contains("hx-trigger=\"every 60s\"") && list.contains("Following looks once a minute"), "{list}");
    assert!(get(here, "/activity/live?since=1d", None).contains("innerHTML:#rows"));
    assert!(get(here, "/activity/count?since=1d", None).contains(&format!("{wanted} events")));
    // Every event once, whichever page it is on.
    let first = get(here, "/activity?since=1d", Some("list"));
    let (_, older) = first.split_once("rel=\"next\"").expect("an older page");
    let second = get(here, &attribute(older, "href"), Some("list"));
    let spots = |html: &str| -> Vec<String> {
        html.split("data-id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let mut seen = [spots(&first), spots(&second)].concat();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len() as u64, wanted);
    // A timeline: all events of that message and recipient.
    let opened = get(here, &format!("/activity?open={}", spots(&first)[20]), Some("timeline"));
    assert!(opened.contains("<ol class=\"steps\">") && opened.contains("aria-current"), "{opened}");
    // Counts are the same, but for what only the trail has.
    let chart = |html: &str| html.split_once("<svg class=\"chart\"").map(|(_, rest)| rest.to_owned()).expect("a chart");
    assert_eq!(chart(&get(here, "/overview/figures?range=24h", None)), chart(&figures));
    assert!(!get(here, "/overview?range=24h", None).contains("health"));
    let list = get(here, "/runs", None);
    assert!(list.contains("/runs/spring") && !list.contains("hx-trigger"), "{list}");
    let statuses =
        |html: &str| html.split_once("<ul class=\"statuses\">").map(|(_, rest)| rest.to_owned()).expect("a run");
    let of_run = get(here, "/runs/spring/figures", None);
    assert_eq!(statuses(&of_run), statuses(&run_of_trail));
    assert!(!of_run.contains("hx-trigger=\"every"), "{of_run}");
    // Programs are told the same, too.
    for ((path, body), expected) in questions.into_iter().zip(answers) {
        assert_eq!(api(here, token, path, body), expected, "{path}");
    }
    server.stop();
}
