//! `bigquery init` and `bigquery check`, against the protocol server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::support::Site;
use crate::{point, run};

fn site(emulator: &Emulator) -> Site {
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    site
}

#[test]
fn everything_is_made_once_and_shown_to_work() {
    let Some(mut emulator) = Emulator::start() else { return };
    let site = site(&emulator);
    let (done, would, _) = run(&site, &["bigquery", "init", "--dry-run"]);
    assert!(done && would.contains("would create the table demo.mail.sendgrid_event\n"), "{would}");
    assert_eq!(emulator.call("GET", "datasets", &Value::Null)["datasets"], json!([]), "a dry run makes nothing");

    let (done, made, told) = run(&site, &["bigquery", "init"]);
    assert!(done, "{told}");
    assert_eq!(made.replace("done: ", "would "), would, "what was announced was done");
    let table = emulator.call("GET", "datasets/mail/tables/sendgrid_event", &Value::Null);
    assert_eq!(table["timePartitioning"], json!({ "type": "DAY", "field": "timestamp" }));
    assert_eq!(table["clustering"]["fields"], json!(["email_hash", "event"]));
    let fields = table["schema"]["fields"].as_array().unwrap();
    assert!(
        fields.len() >= 32 && fields.iter().all(|field| field["description"].as_str().is_some_and(|d| d.len() > 3))
    );

    let (done, again, _) = run(&site, &["bigquery", "init"]);
    assert!(done && again.starts_with("nothing to do"), "{again}");

    let (done, checked, told) = run(&site, &["bigquery", "check"]);
    assert!(done, "{checked}{told}");
    for expected in ["read back    32 columns", "locks        hold", "deleted      the probe row", "cost "] {
        assert!(checked.contains(expected), "{checked}");
    }
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`"), 0, "the probe is gone");
    let locks = "SELECT COUNT(*) FROM `demo.mail.mailtrail_lock` WHERE owner IS NOT NULL";
    assert_eq!(emulator.count(locks), 0, "the lock is free again");

    emulator.kill();
    let (done, _, told) = run(&site, &["bigquery", "check"]);
    assert!(!done && told.contains("cannot be reached") && told.contains("[bigquery] endpoint"), "{told}");
}

#[test]
fn a_new_version_s_columns_are_added_and_nothing_else_changes() {
    let Some(emulator) = Emulator::start() else { return };
    let site = site(&emulator);
    assert!(run(&site, &["bigquery", "init"]).0);
    let mut table = emulator.call("GET", "datasets/mail/tables/sendgrid_event", &Value::Null);
    emulator.call("DELETE", "datasets/mail/tables/sendgrid_event", &Value::Null);
    // As an older version might have made it, with a column of the user's own.
    let fields = table["schema"]["fields"].as_array_mut().unwrap();
    fields.retain(|field| field["name"] != "tls" && field["name"] != "extra");
    fields.push(json!({ "name": "own", "type": "STRING", "mode": "NULLABLE" }));
    let body = json!({
        "tableReference": table["tableReference"], "labels": table["labels"], "schema": table["schema"],
        "timePartitioning": table["timePartitioning"], "clustering": table["clustering"], "description": "ours",
    });
    emulator.call("POST", "datasets/mail/tables", &body);

    let (done, made, told) = run(&site, &["bigquery", "init"]);
    assert!(done, "{told}");
    assert_eq!(
        made,
        "done: add to the table demo.mail.sendgrid_event the columns tls, extra\n\
         done: renew the view demo.mail.sendgrid_event_unique\n"
    );
    let grown = emulator.call("GET", "datasets/mail/tables/sendgrid_event", &Value::Null);
    assert_eq!(grown["description"], "ours");
    let names = |table: &Value| -> BTreeSet<String> {
        table["schema"]["fields"].as_array().unwrap().iter().map(|field| field["name"].to_string()).collect()
    };
    let before = names(&body);
    assert!(before.is_subset(&names(&grown)) && names(&grown).len() == before.len() + 2);
    // Appending to it cannot be shown here: bqemulator adds a patched column to its catalogue alone.
}

#[test]
fn what_is_not_mailtrail_s_or_does_not_fit_is_refused_untouched() {
    let Some(emulator) = Emulator::start() else { return };
    let site = site(&emulator);
    let dataset = json!({ "datasetReference": { "projectId": "demo", "datasetId": "mail" }, "location": "US" });
    emulator.call("POST", "datasets", &dataset);
    let foreign = json!({
        "tableReference": { "projectId": "demo", "datasetId": "mail", "tableId": "sendgrid_event" },
        "schema": { "fields": [{ "name": "event", "type": "STRING" }] },
    });
    emulator.call("POST", "datasets/mail/tables", &foreign);
    let (done, made, told) = run(&site, &["bigquery", "init"]);
    assert!(!done && made.is_empty() && told.contains("is not mailtrail's") && told.contains("label"), "{told}");
    let tables = emulator.call("GET", "datasets/mail/tables", &Value::Null);
    assert_eq!(tables["tables"].as_array().map(Vec::len), Some(1), "nothing was made beside it");

    // Ours by its label, but a column is of another type.
    emulator.call("DELETE", "datasets/mail/tables/sendgrid_event", &Value::Null);
    let mut wrong = foreign;
    wrong["labels"] = json!({ "mailtrail": "event" });
    wrong["timePartitioning"] = json!({ "type": "DAY", "field": "timestamp" });
    wrong["schema"] = json!({ "fields": [
        { "name": "timestamp", "type": "TIMESTAMP", "mode": "REQUIRED" }, { "name": "category", "type": "STRING" },
    ] });
    emulator.call("POST", "datasets/mail/tables", &wrong);
    let (done, _, told) = run(&site, &["bigquery", "init"]);
    assert!(!done && told.contains("the column category is") && told.contains("must be REPEATED STRING"), "{told}");
    emulator.call("DELETE", "datasets/mail/tables/sendgrid_event", &Value::Null);

    let mut elsewhere = Site::new();
    point(&mut elsewhere, emulator.rest, emulator.grpc);
    elsewhere.environment("MAILTRAIL_BIGQUERY_LOCATION", "asia-northeast1");
    let (done, _, told) = run(&elsewhere, &["bigquery", "init"]);
    assert!(!done && told.contains("lies in US"), "{told}");

    // Another key file would make other hashes of the same addresses.
    assert!(run(&site, &["bigquery", "init"]).0);
    let mut stranger = Site::new();
    point(&mut stranger, emulator.rest, emulator.grpc);
    let (done, _, told) = run(&stranger, &["bigquery", "init"]);
    assert!(!done && told.contains("another key file"), "{told}");
    let (done, _, told) = run(&stranger, &["bigquery", "check"]);
    assert!(!done && told.contains("another key file"), "{told}");
}

/// What is printed for those who may not have it made is what is made.
#[test]
fn the_printed_sql_makes_the_same_tables() {
    let Some(emulator) = Emulator::start() else { return };
    let site = site(&emulator);
    let (done, sql, _) = run(&site, &["bigquery", "init", "--print-sql"]);
    assert!(done);
    for statement in sql.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        emulator.query(statement);
    }
    let columns = "SELECT COUNT(*) FROM `demo.mail`.INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'sendgrid_event'";
    assert_eq!(emulator.count(columns), 32);
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event_unique`"), 0);
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.mailtrail_meta`"), 4);

    let (done, terraform, _) = run(&site, &["bigquery", "init", "--print-terraform"]);
    assert!(done);
    assert_eq!(terraform.matches("resource \"google_bigquery_table\"").count(), 9, "{terraform}");
    assert_eq!(terraform.matches('{').count(), terraform.matches('}').count());
    for line in sql.lines().filter_map(|line| line.strip_prefix("  `")) {
        let name = line.split('`').next().unwrap();
        assert!(terraform.contains(&format!("{{ name = \"{name}\"")), "{name} is missing in Terraform");
    }
}

#[test]
fn what_is_not_configured_is_said_with_what_to_write() {
    let site = Site::new();
    let output = site.command(&["bigquery", "init"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("[bigquery]\nproject = \"my-project\""), "{told}");
}
