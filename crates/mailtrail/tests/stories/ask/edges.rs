//! Questions at their edges: where an answer could be less than was asked for, or more than a terminal should get.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{ids, rows, run, told};
use crate::support::{Site, batch, event, now};

const DAY: i64 = 86_400;

#[test]
fn an_export_is_of_everything_unless_times_are_given() {
    let site = Site::new();
    let server = site.serve();
    let old = now() - 30 * DAY;
    let events = [
        event("old", "alice@example.com", "bounce", old),
        event("new", "bob@example.org", "bounce", now() - 60),
        event("other", "bob@example.org", "delivered", now() - 60),
    ];
    assert_eq!(server.post(&site, &batch(&events)).0, 200);
    server.wait_drained();
    for (filter, expected) in [
        (&["--event", "bounce"][..], 2),
        (&["--status", "bounce"], 2),
        (&["--domain", "example.com"], 1),
        (&["--category", "news", "--event", "bounce", "--any"], 3),
        (&["--event", "bounce", "--since", "7d"], 1),
    ] {
        let (code, out, err) = run(&site, &[&["export", "--out", "-"], filter].concat());
        assert_eq!((code, out.lines().count()), (0, expected), "{filter:?}: {err}");
    }
    assert_eq!(rows(&site, &["activity", "--event", "bounce"]).len(), 1, "a search has its window");
}

#[test]
fn an_export_never_replaces_what_is_no_file() {
    use std::os::unix::fs::FileTypeExt as _;

    let (site, _server, _) = told();
    let fifo = site.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let folder = site.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for target in [&fifo, &folder] {
        let (code, out, err) = run(&site, &["export", "--out", target.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("is no file") && err.contains("--out -"), "{err}");
    }
    assert!(std::fs::metadata(&fifo).unwrap().file_type().is_fifo(), "the pipe is still one");
    let nowhere = site.path().join("missing/events.csv");
    let (code, _, err) = run(&site, &["export", "--out", nowhere.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(err.contains("missing"), "{err}");
}

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let (site, _server, _) = told();
    for args in [
        &["export", "--out", "-"][..],
        &["export", "--out", "-", "--format", "csv"],
        &["export", "--out", "-", "--format", "parquet"],
        &["activity", "--format", "json"],
        &["activity"],
        &["sql", "SELECT 1"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = site.command(args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn samples_are_shown_by_activity() {
    let site = Site::new();
    let server = site.serve();
    let sample = event("s1", "example@test.com", "open", now() - 60)
        .replace("msgs1.recvd-1-2-3.0", "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0");
    assert_eq!(server.post(&site, &batch(&[sample])).0, 200);
    server.wait_drained();
    let found = rows(&site, &["activity"]);
    assert_eq!(ids(&found), ["s1"]);
    assert_eq!(found[0]["verified_by"], "test");
    assert_eq!(ids(&rows(&site, &["activity", "--event", "open"])), ["s1"]);
    assert!(rows(&site, &["stats"]).is_empty());
}

#[test]
fn ids_of_messages_are_taken_as_events_carry_them() {
    let (site, _server, _) = told();
    let whole = ["activity", "--message", "msge3.recvd-1-2-3.0"];
    assert_eq!(ids(&rows(&site, &whole)), ["e3"]);
}

#[test]
fn times_that_mean_nothing_are_refused() {
    let (site, _server, _) = told();
    for (args, said) in [
        (&["activity", "--since", "2026-11-24T10:00:00"][..], "is no time"),
        (&["activity", "--since", "1d", "--until", "2d"], "--until is not after --since"),
    ] {
        let (code, out, err) = run(&site, args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
}

#[test]
fn a_cut_answer_says_so() {
    let (site, _server, _) = told();
    let (_, _, err) = run(&site, &["activity", "--limit", "2"]);
    assert!(err.contains("--limit"), "{err}");
    let (_, _, err) = run(&site, &["activity", "--limit", "20"]);
    assert!(!err.contains("--limit"), "{err}");
}

#[test]
fn json_carries_what_steers_a_terminal_as_escapes_and_loses_nothing() {
    let (site, _server, _) = told();
    let (_, out, _) = run(&site, &["activity", "--status", "bounce", "--format", "json"]);
    assert!(!out.contains('\u{202e}') && out.contains("\\u202e"), "{out}");
    let row: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
    assert!(row["reason"].as_str().unwrap().contains("\u{1b}[2J\u{202e}"), "{row}");
}

#[test]
fn tail_shows_only_what_is_new_and_outlives_the_writer() {
    let (site, server, now) = told();
    let (code, out, _) = run(&site, &["tail", "-n", "0", "--format", "json"]);
    assert_eq!((code, out.as_str()), (0, ""));
    let mut child = site
        .command(&["tail", "-f", "-n", "0", "--format", "csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Once the heading is there, tail knows where it begins.
    assert!(lines.next().unwrap().unwrap().starts_with("sg_event_id,"));
    assert_eq!(server.post(&site, &batch(&[event("before", "alice@example.com", "click", now)])).0, 200);
    assert!(lines.next().unwrap().unwrap().starts_with("before,"));
    server.stop();
    let server = site.serve();
    assert_eq!(server.post(&site, &batch(&[event("after", "alice@example.com", "click", now + 9)])).0, 200);
    assert!(lines.next().unwrap().unwrap().starts_with("after,"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_window_of_a_question_is_said_and_lies_before_its_end() {
    let (site, _server, _) = told();
    let said = "note: without --since only the last 7 days";
    for (args, found, window) in [
        (&["activity", "--event", "bounce"][..], 2, true),
        (&["activity", "--event", "bounce", "--since", "40d"], 2, false),
        (&["activity", "--email", "alice@example.com"], 3, false),
        (&["activity", "--event", "open"], 0, true),
        (&["activity", "--event", "open", "--until", "29d"], 1, true),
        (&["activity"], 7, false),
        (&["stats"], 3, true),
        (&["stats", "--until", "29d"], 1, true),
        (&["stats", "--category", "news"], 4, false),
        (&["export", "--out", "-", "--event", "open"], 1, false),
    ] {
        let (code, out, err) = run(&site, args);
        // All but an export are tables with a heading.
        let lines = if args[0] == "export" { out.lines().count() } else { out.lines().count().saturating_sub(1) };
        assert_eq!((code, lines), (0, found), "{args:?}: {out}{err}");
        assert_eq!(err.contains(said), window, "{args:?}: {err}");
    }
}

#[test]
fn a_reader_that_hangs_up_is_no_failure() {
    let (site, _server, _) = told();
    for args in [&["export", "--out", "-"][..], &["activity"], &["sql", "SELECT * FROM sendgrid_event"]] {
        let mut child = site.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("panic") && !said.contains("error"), "{args:?}: {said}");
    }
}

#[test]
fn what_is_given_as_an_address_is_never_repeated() {
    let (site, _server, _) = told();
    for given in ["janedoe", "janedoe example.com", "0123"] {
        let (code, out, err) = run(&site, &["activity", "--email", given]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("neither an address, nor a hash") && !err.contains(given), "{err}");
    }
    std::fs::remove_file(site.path().join("mailtrail.key")).unwrap();
    let (code, out, err) = run(&site, &["timeline", "janedoe@example.com"]);
    assert_ne!(code, 0);
    assert!(out.is_empty() && err.contains("mailtrail.key") && !err.contains("janedoe"), "{err}");
    // Who asks by hash or message needs no key.
    assert_eq!(ids(&rows(&site, &["timeline", "msge3"])), ["e3"]);
}

#[test]
fn a_configuration_that_cannot_receive_can_answer() {
    let (site, server, _) = told();
    server.stop();
    site.configure("basic_auth = [\"no colon\"]\npublic_keys = [\"nonsense\"]");
    assert_eq!(rows(&site, &["activity"]).len(), 7);
}

#[test]
fn a_query_too_long_is_refused_rather_than_cut() {
    let (site, _server, _) = told();
    let query = |length: usize| format!("SELECT 1 AS n {}", "-".repeat(length - 14));
    let (code, out, err) = super::run_with_input(&site, &["sql", "-", "--format", "csv"], &query(100_000));
    assert_eq!((code, out.as_str()), (0, "n\n1\n"), "{err}");
    let (code, out, err) = super::run_with_input(&site, &["sql", "-"], &query(100_001));
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("longer than 100000 bytes"), "{err}");
}

#[test]
fn a_spool_that_cannot_be_read_hides_no_answer() {
    let (site, server, _) = told();
    server.stop();
    std::fs::write(site.path().join("mailtrail.spool-1.db"), "no database at all, whatever its name says").unwrap();
    let (code, out, err) = run(&site, &["activity", "--format", "json"]);
    assert_eq!((code, out.lines().count()), (0, 7), "{err}");
    assert!(err.contains("whether events wait to be indexed is unknown"), "{err}");
}
