//! What the pages for people show was run: the guide's queries, and the code of the article that all began with.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::emulator::Emulator;
use crate::support::{Site, batch, event, now, shared_data};
use crate::{point, run, wait_for};

const GUIDE: &str = include_str!("../../../../docs/bigquery.md");

/// A dataset with a bulk send in it: two arrived, one bounced, one was read.
fn filled(emulator: &Emulator) -> Site {
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    let server = site.serve();
    let bounce = format!(
        r#"{{"email":"c@three.example","event":"bounce","type":"bounce","status":"5.1.1","reason":"550 unknown user","sg_event_id":"e3","sg_message_id":"m3.x","timestamp":{},"category":["news"],"mailtrail_run":"spring"}}"#,
        now()
    );
    let events =
        [event("e1", "a@one.example", "delivered", now()), event("e2", "b@two.example", "delivered", now()), bounce];
    assert_eq!(server.post(&site, &batch(&events)).0, 200);
    assert_eq!(server.post(&site, &batch(&[event("e4", "a@one.example", "open", now())])).0, 200);
    wait_for(&server, "the events", || emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`") == 4);
    server.stop();
    site
}

#[test]
fn the_guide_s_queries_run_and_find_something() {
    let Some(emulator) = Emulator::start() else { return };
    let _site = filled(&emulator);
    let queries: Vec<&str> = GUIDE.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(queries.len() >= 4, "the guide has its queries");
    for query in queries {
        let query = query.replace("my-project.mail", "demo.mail");
        let rows = emulator.query(query.trim());
        let makes_a_view = query.trim_start().starts_with("CREATE");
        assert!(makes_a_view || !rows.is_empty(), "finds nothing:\n{query}");
    }
    let outcome = GUIDE.split("```sql\n").find(|query| query.contains("AS recipients\nFROM (")).expect("it is there");
    let outcome = outcome.split("```").next().unwrap().replace("my-project.mail", "demo.mail");
    assert_eq!(emulator.query(outcome.trim()), [["news", "delivered", "2"], ["news", "bounce", "1"]]);
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.delivery_by_day`"), 3, "the view has a row a domain");
}

#[test]
fn the_article_s_code_counts_what_mailtrail_stored() {
    let Some(article) = shared_data().map(|data| data.join("../reference/origin_article.txt")) else { return };
    if !article.exists() {
        eprintln!("skipped: the article is not here");
        return;
    }
    let Some(emulator) = Emulator::start() else { return };
    let site = filled(&emulator);
    let addresses = ["a@one.example", "b@two.example", "c@three.example"];
    let hashes: Vec<String> = addresses.iter().map(|address| site.ask(&["hash", address]).trim().to_owned()).collect();
    let output = Command::new(emulator.python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bigquery/article.py"))
        .arg(article)
        .arg(format!("http://{}", emulator.rest))
        .args(["news", "2020-01-01T00:00:00+00:00"])
        .args(&hashes)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts, serde_json::json!({ "bounce": 1, "delivered": 2 }));
}
