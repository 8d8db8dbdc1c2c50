//! What people ask after a bulk send, and how it is printed.

mod edges;
mod forms;
mod zones;

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Running, Site, batch, event};

const DAY: i64 = 86_400;

/// Three recipients; one of them bounced with an unpleasant reason.
fn told() -> (Site, Running, i64) {
    let site = Site::new();
    let server = site.serve();
    let now = crate::support::now() - 3600;
    let hostile = "\"reason\":\"=cmd|'/c calc'!A1 \\u001b[2J\\u202e 550 <carol@example.net>\",\"event\"";
    let events = [
        event("e1", "alice@example.com", "processed", now),
        event("e1d", "alice@example.com", "delivered", now + 1),
        event("e2", "bob@example.org", "processed", now),
        event("e2d", "bob@example.org", "delivered", now + 2).replace("[\"news\"]", "[\"news\",\"vip\"]"),
        event("e3", "carol@example.net", "bounce", now + 3).replacen("\"event\"", hostile, 1),
        event("e4", "carol@example.net", "bounce", now + 4).replacen("\"event\"", "\"type\":\"blocked\",\"event\"", 1),
        event("e5", "alice@example.com", "open", now - 30 * DAY),
    ];
    assert_eq!(server.post(&site, &batch(&events)).0, 200);
    server.wait_drained();
    (site, server, now)
}

fn run(site: &Site, args: &[&str]) -> (i32, String, String) {
    finished(site.command(args).output().unwrap())
}

fn run_with_input(site: &Site, args: &[&str], input: &str) -> (i32, String, String) {
    let mut child =
        site.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    finished(child.wait_with_output().unwrap())
}

fn finished(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn rows(site: &Site, args: &[&str]) -> Vec<Value> {
    let (code, out, err) = run(site, &[args, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{args:?}: {err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["sg_event_id"].as_str().unwrap()).collect()
}

#[test]
fn activity_finds_events_by_every_filter() {
    let (site, _server, now) = told();
    for (args, expected) in [
        (vec![], vec!["e4", "e3", "e2d", "e1d", "e2", "e1", "e5"]),
        (vec!["--limit", "2"], vec!["e4", "e3"]),
        (vec!["--email", "Alice@Example.com "], vec!["e1d", "e1", "e5"]),
        (vec!["--event", "delivered"], vec!["e2d", "e1d"]),
        (vec!["--event", "delivered", "--event", "bounce"], vec!["e4", "e3", "e2d", "e1d"]),
        (vec!["--status", "blocked"], vec!["e4"]),
        (vec!["--status", "bounce"], vec!["e3"]),
        (vec!["--category", "vip"], vec!["e2d"]),
        (vec!["--message", "msge3"], vec!["e3"]),
        (vec!["--domain", "EXAMPLE.org"], vec!["e2d", "e2"]),
        (vec!["--reason", "calc"], vec!["e3"]),
        (vec!["--since", "2h", "--event", "processed"], vec!["e2", "e1"]),
        (vec!["--until", "7d"], vec!["e5"]),
        (vec!["--category", "vip", "--status", "blocked", "--any"], vec!["e4", "e2d"]),
        (vec!["--category", "vip", "--status", "blocked"], vec![]),
    ] {
        let found = rows(&site, &[&["activity"][..], &args].concat());
        let mut found = ids(&found);
        let mut expected = expected;
        if args.is_empty() || args.contains(&"processed") {
            // Events of one second have no order that a test should know.
            found.sort_unstable();
            expected.sort_unstable();
        } else if args == ["--domain", "EXAMPLE.org"] || args.contains(&"delivered") {
            assert_eq!(found.len(), expected.len());
        }
        assert_eq!(found, expected, "{args:?}");
    }
    let row = &rows(&site, &["activity", "--status", "bounce"])[0];
    assert_eq!(row["category"], serde_json::json!(["news"]));
    assert_eq!(row["email_domain"], "example.net");
    assert!(row["email"].is_null());
    assert_eq!(row["timestamp"], jiff::Timestamp::from_second(now + 3).unwrap().to_string());
}

#[test]
fn an_address_is_asked_for_without_standing_anywhere() {
    let (site, _server, _) = told();
    let (code, out, err) = run_with_input(&site, &["timeline", "-", "--format", "json"], "ALICE@example.com\n");
    assert_eq!(code, 0, "{err}");
    let found: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ids(&found), ["e5", "e1", "e1d"], "oldest first");
    assert!(!out.to_lowercase().contains("alice") && !err.to_lowercase().contains("alice"));
    let hash = found[0]["email_hash"].as_str().unwrap();
    assert_eq!(ids(&rows(&site, &["timeline", hash])), ["e5", "e1", "e1d"]);
    assert_eq!(ids(&rows(&site, &["timeline", "msge2d.recvd-1-2-3.0"])), ["e2d"]);
}

#[test]
fn output_is_data_and_talk_goes_elsewhere() {
    let (site, _server, _) = told();
    let (code, out, err) = run(&site, &["activity", "--status", "bounce", "--format", "csv"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("sg_event_id,event,timestamp,email_hash"));
    assert!(out.contains(",'=cmd|"), "a formula is neutral: {out}");
    assert!(err.contains("1 event in ") && err.contains("looked through events since"), "{err}");
    let (_, raw, _) = run(&site, &["activity", "--status", "bounce", "--format", "csv", "--raw-csv"]);
    assert!(raw.contains(",=cmd|"));
    let (_, table, _) = run(&site, &["activity", "--status", "bounce"]);
    assert!(table.contains("\\u{1b}[2J\\u{202e}"), "{table}");
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'));
    assert!(table.contains("[address]") && !table.contains("carol"));
}

#[test]
fn wrong_questions_say_what_to_ask_instead() {
    let (site, _server, _) = told();
    for (args, said) in [
        (vec!["activity", "--event", "blocked"], "use --status blocked"),
        (vec!["activity", "--status", "lost"], "use one of processed"),
        (vec!["activity", "--since", "yesterday"], "is no time"),
        (vec!["stats", "--by", "colour"], "use event, status"),
        (vec!["timeline", "-"], "no address"),
    ] {
        let (code, out, err) = run(&site, &args);
        assert_eq!(code, 2, "{args:?}: {err}");
        assert!(err.to_lowercase().contains(&said.to_lowercase()), "{args:?}: {err}");
        assert!(out.is_empty());
    }
    let empty = Site::new();
    let (code, _, err) = run(&empty, &["activity"]);
    assert_eq!(code, 1);
    assert!(err.contains("start `mailtrail serve`"), "{err}");
}

#[test]
fn stats_counts_events_or_people_and_says_what_it_left_out() {
    let (site, server, now) = told();
    let again = event("e1r", "alice@example.com", "delivered", now + 1).replace("msge1r", "msge1d");
    assert_eq!(server.post(&site, &batch(&[again])).0, 200);
    let sample = event("s1", "example@test.com", "open", now)
        .replace("msgs1.recvd-1-2-3.0", "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0");
    assert_eq!(server.post(&site, &batch(&[sample])).0, 200);
    server.wait_drained();
    let count = |args: &[&str], key: &str, value: &str, what: &str| {
        rows(&site, args).iter().find(|row| row[key] == value).map(|row| row[what].as_i64().unwrap())
    };
    assert_eq!(count(&["stats"], "event", "delivered", "events"), Some(3));
    assert_eq!(count(&["stats"], "event", "open", "events"), None, "older than the window, or a sample");
    assert_eq!(count(&["stats", "--include-tests"], "event", "open", "events"), Some(1));
    assert_eq!(count(&["stats", "--by", "status"], "status", "blocked", "events"), Some(1));
    let recipients = ["stats", "--by", "category", "--distinct", "recipients"];
    assert_eq!(count(&recipients, "category", "news", "recipients"), Some(3));
    assert_eq!(count(&recipients, "category", "vip", "recipients"), Some(1));
    let (_, _, err) = run(&site, &["stats"]);
    assert!(err.contains("1 of the events repeat another one under a new sg_event_id"), "{err}");
    assert!(err.contains("left out"), "{err}");
}

#[test]
fn sql_reads_and_cannot_do_anything_else() {
    let (site, _server, _) = told();
    let found =
        rows(&site, &["sql", "SELECT event, count(*) AS n FROM sendgrid_event GROUP BY event ORDER BY n DESC, event"]);
    assert_eq!(found[0], serde_json::json!({"event": "bounce", "n": 2}));
    let (code, out, _) = run_with_input(&site, &["sql", "-", "--format", "csv"], "SELECT 1 AS one WHERE 0");
    assert_eq!((code, out.as_str()), (0, "one\n"));
    let before = std::fs::read_dir(site.path()).unwrap().count();
    for query in [
        "DELETE FROM event",
        "INSERT INTO event (id) VALUES (1) RETURNING id",
        "ATTACH 'x.db' AS x",
        "VACUUM INTO 'x.db'",
        "CREATE TEMP TABLE t (a)",
        "PRAGMA query_only = 0",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
    ] {
        let (code, out, err) = run(&site, &["sql", query]);
        assert_eq!(code, 1, "{query}: {out}{err}");
    }
    assert_eq!(std::fs::read_dir(site.path()).unwrap().count(), before, "nothing was written");
    assert_eq!(rows(&site, &["sql", "SELECT count(*) AS n FROM event"])[0]["n"], 7);
}

#[test]
fn exports_are_whole_private_and_the_same_in_every_form() {
    use std::os::unix::fs::PermissionsExt as _;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    let (site, _server, _) = told();
    for form in ["ndjson", "csv", "parquet"] {
        let path = site.path().join(format!("events.{form}"));
        let (code, out, err) = run(&site, &["export", "--format", form, "--out", path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let count = match form {
            "parquet" => {
                let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
                let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
                let vip = rows.iter().find(|row| row.to_string().contains("vip")).unwrap().to_string();
                assert!(vip.contains("category: [\"news\", \"vip\"]"), "{vip}");
                rows.len()
            }
            "csv" => csv::Reader::from_path(&path).unwrap().records().collect::<Result<Vec<_>, _>>().unwrap().len(),
            _ => std::fs::read_to_string(&path)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap())
                .collect::<Vec<_>>()
                .len(),
        };
        assert_eq!(count, 7, "{form}");
    }
    let (_, out, _) = run(&site, &["export", "--out", "-", "--category", "vip"]);
    assert_eq!(out.lines().count(), 1);
    let leftovers = std::fs::read_dir(site.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "part"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn tail_follows_what_comes_in() {
    use std::io::{BufRead as _, BufReader};

    let (site, server, now) = told();
    let (code, out, _) = run(&site, &["tail", "-n", "2", "--format", "json"]);
    assert_eq!((code, out.lines().count()), (0, 2));
    let mut child = site
        .command(&["tail", "-f", "-n", "1", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    assert_eq!(server.post(&site, &batch(&[event("late", "alice@example.com", "click", now)])).0, 200);
    let followed: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(followed["sg_event_id"], "late");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn questions_work_without_serve_and_say_what_is_not_indexed_yet() {
    let (site, server, _) = told();
    server.stop();
    assert_eq!(rows(&site, &["activity"]).len(), 7);
    // A batch that a killed process acknowledged and did not index any more.
    let spool = rusqlite::Connection::open(site.path().join("mailtrail.spool-1.db")).unwrap();
    spool.execute("INSERT INTO batch (received_at, format, items, body) VALUES (1, 1, 30, x'00')", ()).unwrap();
    drop(spool);
    let (_, _, err) = run(&site, &["activity"]);
    assert!(err.contains("note: 1 batch (30 events) received but not yet in the trail"), "{err}");
}
