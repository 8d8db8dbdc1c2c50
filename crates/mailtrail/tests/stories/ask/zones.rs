//! Days and hours by the clock of a zone whose clocks change: the command line, the API and the page mean the same ones.

use serde_json::json;

use crate::api::{token, with_page};
use crate::support::{Client, Site, batch, event};

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// CenturyLinkCloud/mdw#764 and matomo#10099: an event before a change of the clocks, asked about after it, and an hour that comes twice.
#[test]
fn days_and_hours_are_those_of_the_zone_on_every_interface() {
    let site = Site::new();
    let (token, entry) = token(&site, &["ci", "--operator"]);
    site.write_secret("tokens", &entry);
    with_page(&site, "tokens_file = \"tokens\"\nopen_on_loopback = true\n[output]\ntime_zone = \"Europe/Berlin\"");
    let server = site.serve();
    let events = [
        event("z1", "a@example.com", "open", at("2025-10-09T22:30:00Z")),
        event("z2", "a@example.com", "open", at("2025-10-26T00:30:00Z")),
        event("z3", "a@example.com", "open", at("2025-10-26T01:30:00Z")),
    ];
    assert_eq!(server.post(&site, &batch(&events)).0, 200);
    server.wait_drained();

    let day = ["stats", "--by", "day", "--since", "2025-10-10", "--until", "2025-10-11", "--format", "json"];
    assert_eq!(site.ask(&day), "{\"day\":\"2025-10-10\",\"events\":1}\n");
    let hours = ["stats", "--by", "hour", "--since", "2025-10-26", "--format", "json"];
    let hours = site.ask(&hours);
    let repeated =
        "{\"hour\":\"2025-10-26T02:00+02:00\",\"events\":1}\n{\"hour\":\"2025-10-26T02:00+01:00\",\"events\":1}\n";
    assert_eq!(hours, repeated, "in the order of time");

    let headers = |length: usize| {
        [
            ("Authorization".to_owned(), format!("Bearer {token}")),
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Content-Length".to_owned(), length.to_string()),
        ]
    };
    let mut client = Client::connect(server.page());
    let mut api = |path: &str, body: serde_json::Value| {
        let body = body.to_string();
        let (status, answer) = client.request("POST", path, &headers(body.len()), body.as_bytes()).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let of_berlin = json!({"by": ["day"], "since": "2025-10-10", "until": "2025-10-11", "time_zone": "Europe/Berlin"});
    assert_eq!(api("/api/v1/stats", of_berlin), "{\"day\":\"2025-10-10\",\"events\":1}\n");
    let of_utc = json!({"by": ["day"], "since": "2025-10-09", "until": "2025-10-10"});
    assert_eq!(api("/api/v1/stats", of_utc), "{\"day\":\"2025-10-09\",\"events\":1}\n");
    let events = json!({"since": "2025-10-10", "until": "2025-10-11", "time_zone": "Europe/Berlin"});
    assert_eq!(api("/api/v1/activity", events).lines().count(), 1);

    let (status, figures) =
        client.request("GET", "/overview/figures?since=2025-09-20&until=2025-12-01", &[], b"").unwrap();
    assert_eq!(status, 200);
    for (day, count) in [("2025-10-10 00:00", 1), ("2025-10-26 00:00", 2)] {
        let row = format!("{day}</a></th><td class=\"number\">{count}</td>");
        assert!(figures.contains(&row), "{day}: {figures}");
    }
}
