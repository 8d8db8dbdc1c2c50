//! Somebody is forgotten in BigQuery, where it is all there is and where the trail is forwarded to.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::fake::Fake;
use crate::support::{Running, Site, batch, event, now};
use crate::{point, run, wait_for};

const ADDRESS: &str = "jane.q.public@example.com";
/// Twelve events: three of hers (one of them too old for BigQuery), two of others that name her (one too old), one unreadable of
/// hers and one of nobody's.
fn fill(server: &Running, site: &Site) {
    let naming = |id: &str, at: i64| {
        event(id, "friend@example.com", "open", at)
            .replace("\"category\"", &format!("\"referrer\":\"{ADDRESS}\",\"category\""))
    };
    let mut events = vec![
        event("j1", ADDRESS, "delivered", now()),
        event("j2", ADDRESS, "open", now()),
        event("j-old", ADDRESS, "open", 1_300_000_000),
        naming("n1", now()),
        naming("n-old", 1_300_000_000),
    ];
    events.extend((0..5).map(|n| event(&format!("o{n}"), &format!("other{n}@example.com"), "delivered", now())));
    assert_eq!(server.post(site, &batch(&events)).0, 200);
    let unreadable = format!("[{{\"email\":\"{}\",\"event\":\"open\"", ADDRESS.replace('@', "\\u0040"));
    assert_eq!(server.post(site, unreadable.as_bytes()).0, 200);
    assert_eq!(server.post(site, b"[{\"event\":\"open\"}]").0, 200, "somebody else's, unreadable");
}

/// Rows of any table that hold one of the texts.
fn traces(emulator: &Emulator, needles: &[&str]) -> Vec<String> {
    let tables = emulator.call("GET", "datasets/mail/tables", &Value::Null);
    let mut found = Vec::new();
    for table in tables["tables"].as_array().unwrap() {
        let name = table["tableReference"]["tableId"].as_str().unwrap();
        for needle in needles {
            let sql = format!(
                "SELECT COUNT(*) FROM `demo.mail.{name}` AS t WHERE STRPOS(LOWER(TO_JSON_STRING(t)), '{needle}') > 0"
            );
            let rows = emulator.count(&sql);
            if rows > 0 {
                found.push(format!("{rows} in {name}"));
            }
        }
    }
    found
}

fn forget(site: &Site, args: &[&str]) -> (bool, Value) {
    let (done, told, said) = run(site, &[&["forget", "--format", "json"], args].concat());
    assert!(!told.is_empty(), "{said}");
    (done, serde_json::from_str(&told).unwrap())
}

fn site(emulator: &Emulator) -> Site {
    let mut site = Site::new();
    // As somebody who wants to read addresses would have it.
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    site.write_secret("mailtrail.toml", &config.replace("[privacy]\n", "[privacy]\nkeep_address = true\n"));
    point(&mut site, emulator.rest, emulator.grpc);
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "60s");
    assert!(run(&site, &["bigquery", "init"]).0);
    site
}

#[test]
fn in_bigquery_alone_nothing_of_them_is_left_and_nothing_of_others_is_missing() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = site(&emulator);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    let server = site.serve();
    fill(&server, &site);
    let hash = site.ask(&["hash", ADDRESS]).trim().to_owned();
    let needles = [ADDRESS, hash.as_str()];
    assert!(traces(&emulator, &needles).len() >= 3, "the search finds what is there");
    let sealed = "SELECT COUNT(*) FROM `demo.mail.sendgrid_quarantine` WHERE sealed IS NOT NULL";
    assert_eq!(emulator.count(sealed), 2);

    let (done, dry) = forget(&site, &[ADDRESS, "--dry-run"]);
    assert!(done && traces(&emulator, &needles).len() >= 3, "a dry run changes nothing");
    let (done, told) = forget(&site, &[ADDRESS]);
    assert!(done && told["complete"] == true, "{told}");
    for counts in [&dry["bigquery"], &told["bigquery"]] {
        assert_eq!((&counts["events"], &counts["mentions"], &counts["quarantined"]), (&2.into(), &2.into(), &2.into()));
        assert_eq!((&counts["remains"], &counts["locked"]), (&0.into(), &0.into()));
    }
    assert_eq!(traces(&emulator, &needles), Vec::<String>::new());
    let kept = "SELECT COUNT(*) FROM `demo.mail.sendgrid_event`";
    assert_eq!((emulator.count(kept), emulator.count(sealed)), (6, 1), "nothing of others is missing");
    let named = "SELECT TO_JSON_STRING(custom_args) FROM `demo.mail.sendgrid_event` WHERE sg_event_id = 'n1'";
    assert!(emulator.query(named)[0][0].contains("[address]"));
    let refused = emulator.query("SELECT `row` FROM `demo.mail.sendgrid_quarantine` WHERE `row` IS NOT NULL");
    assert!(
        refused.len() == 1 && refused[0][0].contains("n-old") && refused[0][0].contains("[address]"),
        "{refused:?}"
    );
    let late = told["out_of_reach"].to_string();
    assert!(late.contains("time travel") && late.contains("come in from now on") && late.contains("ledger"), "{late}");

    let (done, again) = forget(&site, &[&hash]);
    assert!(done && again["bigquery"]["events"] == 0, "{again}");
    let (done, _, said) = run(&site, &["forget", ADDRESS, "--lift"]);
    assert!(!done && said.contains("nobody is marked"), "{said}");
    let (done, _, said) = run(&site, &["restore", "somewhere"]);
    assert!(!done && said.contains("time travel") && !said.contains("No such file"), "{said}");
    assert!(!server.stop().contains(ADDRESS));
}

#[test]
fn where_the_trail_is_forwarded_both_forget_beside_a_running_serve() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = site(&emulator);
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    let server = site.serve();
    fill(&server, &site);
    let there = "SELECT COUNT(*) FROM `demo.mail.sendgrid_event`";
    wait_for(&server, "the events to be forwarded", || emulator.count(there) == 8);
    let hash = site.ask(&["hash", ADDRESS]).trim().to_owned();
    let (done, told) = forget(&site, &[ADDRESS]);
    assert!(done && told["complete"] == true, "{told}");
    assert_eq!(
        (&told["events"], &told["bigquery"]["events"], &told["bigquery"]["mentions"]),
        (&3.into(), &2.into(), &1.into())
    );
    assert_eq!(traces(&emulator, &[ADDRESS, &hash]), Vec::<String>::new());
    // The trail's mark holds for BigQuery as well.
    let late = [event("late", ADDRESS, "click", now()), event("beside", "bob@example.com", "click", now())];
    assert_eq!(server.post(&site, &batch(&late)).0, 200);
    wait_for(&server, "the other one's event to be forwarded", || emulator.count(there) == 7);
    assert_eq!(traces(&emulator, &[ADDRESS, &hash]), Vec::<String>::new());
    server.stop();
}

/// BigQuery that holds two rows of hers, and lets go of the older one at once and of the other at the given try.
fn reluctant(fake: &Fake, lets_go_at: usize) {
    let (older_is_gone, tries) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counts =
        |rows: usize| json!({ "jobComplete": true, "rows": [{ "f": [{ "v": rows.to_string() }, { "v": "0" }] }] });
    let changed = |rows: usize| json!({ "jobComplete": true, "numDmlAffectedRows": rows.to_string() });
    fake.answer(move |asked| {
        let sql = asked["query"].as_str().unwrap();
        let left = if tries.load(Ordering::Relaxed) >= lets_go_at { 0 } else { 2 - older_is_gone.load(Ordering::Relaxed) };
        if sql.starts_with("SELECT COUNTIF(IFNULL") {
            return Some((200, counts(left)));
        }
        if !sql.starts_with("DELETE") {
            return None;
        }
        if sql.contains("INTERVAL 95 MINUTE") {
            return Some((200, changed(1 - older_is_gone.swap(1, Ordering::Relaxed))));
        }
        if tries.fetch_add(1, Ordering::Relaxed) + 1 >= lets_go_at {
            return Some((200, changed(1)));
        }
        let message = "UPDATE or DELETE statement over table demo.mail.sendgrid_event would affect rows in the streaming buffer, which is not supported";
        Some((400, json!({ "error": { "message": message, "errors": [{ "reason": "invalidQuery" }] } })))
    });
}

#[test]
fn what_bigquery_does_not_let_go_yet_is_said_and_tried_again() {
    let fake = Fake::start();
    let site = fake.stateless_site();
    reluctant(&fake, 3);
    let (done, told) = forget(&site, &[ADDRESS]);
    assert!(!done && told["complete"] == false, "{told}");
    assert_eq!(
        (&told["bigquery"]["events"], &told["bigquery"]["remains"]),
        (&1.into(), &1.into()),
        "what is older went"
    );
    assert!(told["bigquery"]["held_back"].as_str().unwrap().contains("streaming buffer"), "{told}");
    let (done, told, _) = run(&site, &["forget", ADDRESS]);
    assert!(!done && told.contains("NOT YET DONE: 1 rows") && told.contains("--wait"), "{told}");

    reluctant(&fake, 2);
    let (done, told) = forget(&site, &[ADDRESS, "--wait", "1m"]);
    assert!(done && told["bigquery"]["events"] == 2 && told["bigquery"]["held_back"].is_null(), "{told}");

    // Hashes travel as parameters alone, and addresses not at all.
    let hash = site.ask(&["hash", ADDRESS]).trim().to_owned();
    let asked = fake.queries();
    assert!(asked.iter().any(|asked| asked["queryParameters"].to_string().contains(&hash)));
    assert!(asked.iter().all(|asked| !asked["query"].as_str().unwrap().contains(&hash)));
    let wire = fake.wire();
    assert!(!wire.windows(5).any(|window| window.eq_ignore_ascii_case(b"jane.")), "an address went over the wire");
}
