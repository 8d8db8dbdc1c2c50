//! Moving in from tables of BigQuery's: the article's own, and mailtrail's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::support::{Site, batch, event, now};
use crate::{point, run, wait_for};

/// The counts of the only source.
fn counts(printed: &str) -> [u64; 5] {
    let counts: Value = serde_json::from_str(printed.trim()).unwrap_or_else(|_| panic!("one source: {printed}"));
    ["read", "stored", "duplicate", "quarantined", "unmatched"].map(|name| counts[name].as_u64().unwrap())
}

fn import(site: &Site, args: &[&str]) -> (bool, [u64; 5], String) {
    let (done, printed, told) = run(site, &[&["import", "--format-out", "json"], args].concat());
    assert!(!printed.is_empty(), "{told}");
    (done, counts(&printed), told)
}

/// Exported rows without what belongs to one trail.
fn rows(site: &Site) -> BTreeSet<String> {
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        for name in ["id", "verified_by"] {
            row.as_object_mut().unwrap().remove(name);
        }
        row.to_string()
    };
    site.ask(&["export", "--out", "-"]).lines().map(row).collect()
}

#[test]
fn the_article_s_table_moves_in_and_the_webhook_adds_nothing_twice() {
    let Some(emulator) = Emulator::start() else { return };
    let field = |name: &str, kind: &str, mode: &str| json!({ "name": name, "type": kind, "mode": mode });
    emulator.call("POST", "datasets", &json!({ "datasetReference": { "projectId": "demo", "datasetId": "old" } }));
    emulator.call(
        "POST",
        "datasets/old/tables",
        &json!({ "tableReference": { "projectId": "demo", "datasetId": "old", "tableId": "sendgrid_event" }, "schema": { "fields": [
            field("sg_event_id", "STRING", "NULLABLE"), field("timestamp", "TIMESTAMP", "NULLABLE"), field("event", "STRING", "NULLABLE"),
            field("reason", "STRING", "NULLABLE"), field("category", "STRING", "REPEATED"), field("email_hash", "STRING", "NULLABLE"),
        ] } }),
    );
    let at = now() - 5000;
    let hash = |n: i64| mailtrail::protect::EmailHash::unkeyed(&format!("person{n}@example.com")).to_string();
    let time = |seconds: i64| mailtrail::show::time::rfc3339(seconds * 1_000_000);
    let row = |n: i64| {
        let (name, reason) = if n % 5 == 0 {
            ("bounce", json!(format!("550 person{n}@example.com unknown")))
        } else {
            ("delivered", Value::Null)
        };
        json!({ "json": { "sg_event_id": format!("e{n}"), "timestamp": time(at + n), "event": name, "reason": reason,
                          "category": ["news", "日本"], "email_hash": hash(n) } })
    };
    let mut all: Vec<Value> = (0..40).map(row).collect();
    // What no event can be without, and a repetition.
    all.push(json!({ "json": { "sg_event_id": "bad", "event": "open" } }));
    all.push(row(7));
    let answer = emulator.call("POST", "datasets/old/tables/sendgrid_event/insertAll", &json!({ "rows": all }));
    assert!(answer["insertErrors"].as_array().is_none_or(Vec::is_empty), "{answer}");

    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    let outside = tempfile::tempdir().unwrap();
    let list = outside.path().join("list.csv");
    let addresses: String = (0..38).map(|n| format!("person{n}@example.com\n")).collect();
    std::fs::write(&list, format!("email\n{addresses}")).unwrap();
    let list = list.to_str().unwrap();
    let source = "bigquery:demo.old.sendgrid_event";
    let (done, _, told) = run(&site, &["import", source]);
    assert!(!done && told.contains("--rehash LIST"), "{told}");
    let (done, found, told) = import(&site, &["--dry-run", "--rehash", list, source]);
    assert!(!done && found == [42, 38, 1, 1, 2], "{found:?} {told}");
    let (done, found, told) = import(&site, &["--rehash", list, source]);
    assert!(!done && found == [42, 38, 1, 1, 2], "{found:?} {told}");
    let (_, found, _) = import(&site, &["--from", source, "--rehash", list]);
    assert_eq!(found, [42, 0, 40, 0, 2]);
    let exported = site.ask(&["export", "--out", "-", "--event", "bounce"]);
    assert!(exported.contains("550 [address] unknown") && exported.contains("日本"), "{exported}");
    assert_eq!(exported.lines().count(), 8);

    let server = site.serve();
    let name = |n: i64| if n % 5 == 0 { "bounce" } else { "delivered" };
    let again: Vec<String> =
        (0..40).map(|n| event(&format!("e{n}"), &format!("person{n}@example.com"), name(n), at + n)).collect();
    assert_eq!(server.post(&site, &batch(&again)).0, 200);
    server.wait_drained();
    server.stop();
    assert_eq!(rows(&site).len(), 40, "two that the list did not know, and nothing twice");

    let (done, _, told) = run(&site, &["import", "bigquery:demo.old.nothing"]);
    assert!(!done && told.contains("refused to look at the table to import"), "{told}");
    let (done, _, told) = run(&site, &["import", "bigquery:old.sendgrid_event"]);
    assert!(!done && told.contains("project.dataset.table"), "{told}");
}

#[test]
fn a_trail_that_was_forwarded_comes_back_from_bigquery_as_it_was() {
    let Some(emulator) = Emulator::start() else { return };
    let mut old = Site::new();
    point(&mut old, emulator.rest, emulator.grpc);
    assert!(run(&old, &["bigquery", "init"]).0);
    old.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    let at = now() - 100;
    let mut events: Vec<String> =
        (0..30).map(|n| event(&format!("e{n}"), &format!("person{n}@example.com"), "delivered", at + n)).collect();
    events.push(format!(
        r#"{{"email":"jane@example.com","event":"bounce","timestamp":{at},"reason":"550 jane@example.com","type":"blocked","tls":1,
            "attempt":"2","mailtrail_run":"spring","order":7}}"#
    ));
    events.push(format!(r#"{{"event":"account_status_change","timestamp":{at},"type":"suspend"}}"#));
    let wanted = events.len() as u64;
    let server = old.serve();
    assert_eq!(server.post(&old, &batch(&events)).0, 200);
    wait_for(&server, "the events in BigQuery", || {
        emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`") == wanted
    });
    server.stop();

    let mut new = Site::new();
    let key = std::fs::read_to_string(old.path().join("mailtrail.key")).unwrap();
    new.write_secret("mailtrail.key", &key);
    point(&mut new, emulator.rest, emulator.grpc);
    let (done, found, told) = import(&new, &["bigquery:demo.mail.sendgrid_event"]);
    assert!(done && found == [wanted, wanted, 0, 0, 0], "{found:?} {told}");
    assert_eq!(rows(&new), rows(&old));
    let (done, _, told) = run(&new, &["import", "bigquery:demo.mail.sendgrid_event_unique"]);
    assert!(!done && told.contains("VIEW"), "{told}");
}

/// Load jobs take days that streaming does not, and what is there already is not added again.
#[test]
fn history_moves_into_bigquery_once_however_old_it_is() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    let server = site.serve();
    let recent: Vec<String> =
        (0..10).map(|n| event(&format!("e{n}"), &format!("person{n}@example.com"), "delivered", now() - n)).collect();
    assert_eq!(server.post(&site, &batch(&recent[..4])).0, 200);
    server.stop();
    let rows = || emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`");
    assert_eq!(rows(), 4);

    let mut kept = recent.join("\n");
    for n in 0..20 {
        // Ten years ago, and more than nine.
        let at = 1_450_000_000 + n * 86_400;
        kept.push_str(&format!(
            "\n{{\"event\":\"bounce\",\"email\":\"old{n}@example.com\",\"timestamp\":{at},\"reason\":\"550 old{n}@example.com\",\"category\":[\"a\",\"b\"],\
             \"order\":{{\"n\":1.5}},\"tls\":1}}"
        ));
    }
    kept.push_str("\n{\"event\":\"open\"}\nnonsense old1@example.com\n");
    kept.push_str(&recent[0]);
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("kept.ndjson");
    std::fs::write(&file, kept).unwrap();
    let file = file.to_str().unwrap();
    let (done, found, told) = import(&site, &[file]);
    assert!(!done && found == [33, 26, 5, 2, 0], "{found:?} {told}");
    let (done, found, told) = import(&site, &[file]);
    assert!(done && found == [33, 0, 33, 0, 0], "{found:?} {told}");
    assert_eq!(rows(), 30);
    let columns = "reason, category[OFFSET(1)], JSON_VALUE(custom_args, '$.order.n'), tls, verified_by, FORMAT_TIMESTAMP('%Y', timestamp), \
                   LENGTH(email_hash)";
    let old = emulator.query(&format!(
        "SELECT {columns} FROM `demo.mail.sendgrid_event_unique` WHERE event = 'bounce' ORDER BY timestamp LIMIT 1"
    ));
    assert_eq!(old, [["550 [address]", "b", "1.5", "true", "import", "2015", "64"]]);
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_quarantine`"), 2);
    let left = emulator.call("GET", "datasets/mail/tables?maxResults=100", &Value::Null);
    assert!(!left.to_string().contains("mailtrail_import_"), "{left}");

    // What was left out is remembered there, too.
    let list = outside.path().join("list.csv");
    std::fs::write(&list, "email\nsomebody@example.com\n").unwrap();
    let table = outside.path().join("table.csv");
    std::fs::write(&table, "event,timestamp,email_hash,category\nopen,1700000000,abc,older\n").unwrap();
    let (done, found, _) = import(&site, &["--rehash", list.to_str().unwrap(), table.to_str().unwrap()]);
    assert!(!done && found == [1, 0, 0, 0, 1], "{found:?}");
    let noted = "SELECT value FROM `demo.mail.mailtrail_meta` WHERE STARTS_WITH(name, 'import_left_out:')";
    assert_eq!(emulator.query(noted), [["1"]]);
    let sent = ["sent", "--category", "older", "--list", list.to_str().unwrap()];
    let (done, _, told) = run(&site, &sent);
    assert!(done && told.contains("imports left out 1 events"), "no silent no: {told}");
    let (done, found, _) = import(&site, &["--hash", "none", table.to_str().unwrap()]);
    assert!(done && found == [1, 1, 0, 0, 0], "{found:?}");
    assert_eq!(emulator.query(noted), [["0"]]);
    let (done, _, told) = run(&site, &sent);
    assert!(done && !told.contains("left out") && told.contains("1 imported events of this mail do not say"), "{told}");

    // The export of it comes back to a machine's trail.
    let exported = site.command(&["export", "--out", "all.ndjson"]).output().unwrap();
    assert!(exported.status.success());
    site.environment("MAILTRAIL_STORE_KIND", "sqlite");
    let (done, found, told) = import(&site, &["all.ndjson"]);
    assert!(done && found == [31, 31, 0, 0, 0], "{found:?} {told}");
}
