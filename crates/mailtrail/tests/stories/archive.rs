//! Old months leave the trail for an archive: nothing is lost on the way, and whoever asks is told what is missing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use mailtrail::archive::parquet::Records;
use mailtrail::protect::KeyRing;
use mailtrail::store::keys::Keys as _;
use mailtrail::store::sqlite::{Forwarded, RefusedEvent};

use crate::support::{Running, Site, batch, event, now, wait_for};

const DAY: i64 = 86_400;

/// Posts one event a day for so many days back, `many` a day; their ids.
fn history(site: &Site, server: &Running, days: std::ops::Range<i64>, many: i64) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    // The oldest first: the event stored last is the one that always stays.
    for day in days.rev() {
        let events: Vec<String> = (0..many)
            .map(|n| {
                let id = format!("d{day}n{n}");
                let told = event(&id, &format!("p{}@example.com", n % 50), "delivered", now() - day * DAY - n);
                ids.insert(id);
                told
            })
            .collect();
        assert_eq!(server.post(site, &batch(&events)).0, 200);
    }
    server.wait_drained();
    ids
}

fn in_trail(site: &Site) -> BTreeSet<String> {
    let trail = site.trail();
    let mut ids = trail.prepare("SELECT sg_event_id FROM event").unwrap();
    ids.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn archive_path(site: &Site) -> PathBuf {
    site.path().join("archive")
}

/// What the archive's manifest stands for, once an interrupted command was tidied up.
fn in_archive(site: &Site) -> BTreeSet<String> {
    let config = mailtrail::config::load_file_alone(&site.path().join("mailtrail.toml")).unwrap();
    let keys = KeyRing::load(&config.privacy).unwrap().identity();
    let Ok(folder) = mailtrail::archive::Folder::existing(&archive_path(site), &keys) else { return BTreeSet::new() };
    let mut ids = BTreeSet::new();
    for entry in &folder.manifest().files {
        let file = std::fs::File::open(archive_path(site).join(&entry.name)).unwrap();
        for event in Records::open(file).unwrap().flat_map(Result::unwrap) {
            assert!(ids.insert(event.sg_event_id.unwrap()), "an event stands in two files");
        }
    }
    ids
}

fn run(site: &Site, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = site.command(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Unix seconds as the command line takes them.
fn at(seconds: i64) -> String {
    mailtrail::show::time::rfc3339(seconds * 1_000_000)
}

#[test]
fn old_months_move_to_an_archive_beside_serve_and_questions_say_what_is_missing() {
    let mut site = Site::new();
    let server = site.serve();
    let all = history(&site, &server, 0..140, 2);
    let before = at(now() - 65 * DAY);

    let (code, said, _) = run(&site, &["archive", "--before", &before, "--to", "archive"]);
    assert!(code == Some(0) && said.contains("archived and read back"), "{said}");
    let archived = in_archive(&site);
    assert!(archived.len() > 40 && archived.is_subset(&all), "{}", archived.len());
    assert_eq!(in_trail(&site), all, "nothing is removed unless it is asked for");

    // What is not proven stays, and the reason is said.
    let (code, _, why) = run(&site, &["prune", "--before", &before]);
    assert!(code == Some(2) && why.contains("--archive DIR"), "{why}");
    let (code, _, why) = run(&site, &["prune", "--before", &at(now() - 20 * DAY), "--archive", "archive"]);
    assert!(code == Some(2) && why.contains("of the last 31 days are not pruned"), "{why}");
    let (code, said, why) = run(&site, &["prune", "--before", &at(now() - 32 * DAY), "--archive", "archive"]);
    assert!(code == Some(1) && said.is_empty() && why.contains("are in no file of the archive"), "{why}");
    let (code, _, why) = run(&site, &["archive", "--before", &at(now()), "--to", "archive", "--prune"]);
    assert!(code == Some(2) && why.contains("not pruned"), "{why}");
    assert_eq!(in_trail(&site), all);

    let (code, said, why) = run(&site, &["archive", "--before", &before, "--to", "archive", "--prune"]);
    assert!(code == Some(0) && said.contains("removed from the trail"), "{said}{why}");
    assert!(said.contains("are free for new events"), "{said}");
    let kept = in_trail(&site);
    assert!(kept.is_disjoint(&archived));
    assert_eq!(&kept | &archived, all);
    // The drain goes on with what it knew of messages and addresses that are gone.
    assert_eq!(server.post(&site, &batch(&[event("late", "p1@example.com", "open", now() - 100 * DAY)])).0, 200);
    assert_eq!(server.post(&site, &batch(&[event("today", "p0@example.com", "open", now())])).0, 200);
    server.wait_drained();
    let (code, said, _) = run(&site, &["archive", "--before", &before, "--to", "archive", "--prune", "--vacuum"]);
    assert!(code == Some(0) && said.contains("went back to the disk"), "{said}");
    assert!(in_archive(&site).contains("late") && !in_trail(&site).contains("late"));
    let broken: i64 =
        site.trail().query_row("SELECT count(*) FROM pragma_foreign_key_check", (), |r| r.get(0)).unwrap();
    assert_eq!(broken, 0);

    let missing = "were pruned";
    for (question, says) in [
        (&["activity", "--since", "100d"][..], true),
        (&["activity", "--event", "delivered"], false),
        (&["stats", "--since", "300d"], true),
        (&["timeline", "p1@example.com"], true),
        (&["export", "--out", "-"], true),
        (&["sql", "SELECT 1"], true),
        (&["stats", "--since", "10d"], false),
    ] {
        let (code, _, note) = run(&site, question);
        assert!(code == Some(0) && note.contains(missing) == says, "{question:?}: {note}");
    }
    std::fs::write(site.path().join("list.csv"), "email\np1@example.com\n").unwrap();
    let sent = ["sent", "--category", "news", "--since", "200d", "--list", "list.csv"];
    let (_, _, note) = run(&site, &sent);
    assert!(note.contains("not of mail of other tools"), "{note}");
    // Nobody is mailed by the absence of events that are gone.
    site.environment("MAILTRAIL_SENDGRID_FROM", "News <news@example.com>");
    std::fs::write(site.path().join("mail.html"), "<p>Hello</p>").unwrap();
    let send = ["send", "list.csv", "--run", "autumn", "--subject", "S", "--html", "mail.html", "--dry-run"];
    let (code, _, note) = run(&site, &[&send[..], &["--category", "news", "--not-sent-since", "200d"]].concat());
    assert!(code == Some(0) && note.contains("not of mail of other tools"), "{note}");
    let (code, _, note) = run(&site, &[&send[..], &["--category", "news", "--not-sent-since", "10d"]].concat());
    assert!(code == Some(0) && !note.contains(missing), "{note}");
    let (code, _, why) = run(&site, &[&send[..], &["--resend-uncertain"]].concat());
    assert!(code == Some(2) && why.contains("goes by the absence of events"), "{why}");
    assert!(site.ask(&["doctor"]).contains("were pruned"));

    // Whoever is forgotten is taken out of the archive, too, where it is named.
    let theirs = ["forget", "p1@example.com", "--archive", "archive"];
    let (code, said, why) = run(&site, &theirs);
    assert!(code == Some(0) && said.contains("from the archive: "), "{said}{why}");
    assert!(in_archive(&site).iter().all(|id| id.ends_with("n0")), "of the two a day, the other one is left");
    let (_, said, _) = run(&site, &theirs);
    assert!(said.contains("from the archive: 0 events"), "{said}");
    server.stop();
}

#[test]
fn without_an_archive_bigquery_s_word_counts_event_by_event() {
    let site = Site::new();
    let server = site.serve();
    let all = history(&site, &server, 0..80, 1);
    server.stop();
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    let bigquery = "[bigquery]\nproject = \"p\"\ndataset = \"d\"\nforward = true\n";
    site.write_secret("mailtrail.toml", &format!("{config}{bigquery}"));
    let prune = ["prune", "--before", "60d"];
    let (code, _, why) = run(&site, &prune);
    assert!(code == Some(1) && why.contains("20 events are not copied to p.d.sendgrid_event yet"), "{why}");

    // As serve notes it: the oldest were stored first.
    let place = site.path().join("mailtrail.forward.db");
    let mut forwarded = Forwarded::open(&place, "p.d.sendgrid_event").unwrap();
    let refused = RefusedEvent { id: 5, why: "no".to_owned() };
    forwarded.advance(60, std::slice::from_ref(&refused), 1).unwrap();
    let (code, said, why) = run(&site, &[&prune[..], &["--dry-run"]].concat());
    assert!(code == Some(1) && said.contains("would be removed: 19 events"), "{said}");
    assert!(why.contains("1 events were refused by p.d.sendgrid_event and are nowhere else"), "{why}");
    assert_eq!(in_trail(&site), all);
    // With an archive the refused one has a place, too.
    let (code, said, why) = run(&site, &["archive", "--before", "31d", "--to", "archive"]);
    assert!(code == Some(0), "{said}{why}");
    let before = mailtrail::archive::Month::of((now() - 31 * DAY) * 1_000_000).begin();
    let before = at(before / 1_000_000);
    let (code, said, why) = run(&site, &["prune", "--before", &before, "--archive", "archive"]);
    assert!(code == Some(0) && said.contains("removed from the trail"), "{said}{why}");
    assert_eq!(in_archive(&site), all.difference(&in_trail(&site)).cloned().collect());
}

#[test]
fn an_archive_is_brought_back_as_it_was_and_may_go_again() {
    let site = Site::new();
    let server = site.serve();
    history(&site, &server, 0..120, 3);
    // A row's number in the trail is new each time it is stored.
    let export = || -> Vec<serde_json::Value> {
        let text = site.ask(&["export", "--out", "-"]);
        let mut rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("id").unwrap()));
        rows
    };
    let before = export();
    let old = at(now() - 40 * DAY);
    let prune = ["archive", "--before", &old, "--to", "archive", "--prune"];
    site.ask(&prune);
    let pruned = export();
    assert!(pruned.len() < before.len() - 100);

    let files = std::fs::read_dir(archive_path(&site)).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    let import: Vec<&str> =
        ["import", "--keep-verified-by"].into_iter().chain(files.iter().map(String::as_str)).collect();
    site.ask(&import);
    assert!(export() == before, "not every event is there again in every column");
    let (code, said, why) = run(&site, &prune);
    assert!(code == Some(0) && said.contains("archived and read back: 0 events"), "{said}{why}");
    assert!(export().len() <= pruned.len() + 1, "the event stored last stays");
    server.stop();
}

/// Killed as soon as events are gone from the trail, and then after a while, a different one in every round (waiting is what is
/// tested: there is no event to await).
#[test]
fn a_kill_at_any_point_leaves_each_event_in_the_archive_or_in_the_trail() {
    let site = Site::new();
    let server = site.serve();
    // More than 35 days and a month ago, so that all of it is in months that end before that, whatever day it is.
    let all = history(&site, &server, 70..130, 200);
    let before = at(now() - 35 * DAY);
    let start = || {
        let mut command = site.command(&["archive", "--before", &before, "--to", "archive", "--prune"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let (mut cut, mut halfway, mut wait) = (0, 0, Duration::from_millis(30));
    for round in 0..12 {
        let mut child = start();
        if round < 4 {
            let begun = in_trail(&site).len();
            wait_for("the first events to go", || in_trail(&site).len() < begun || child.try_wait().unwrap().is_some());
        } else {
            std::thread::sleep(wait);
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap().success();
        cut += u64::from(!ended);
        let (trail, archive) = (in_trail(&site), in_archive(&site));
        let missing: Vec<&String> = all.iter().filter(|id| !trail.contains(*id) && !archive.contains(*id)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "round {round}, after {wait:?}");
        let pruned = all.difference(&trail).count();
        halfway += u64::from(!ended && pruned > 0 && pruned < all.len());
        // Beside it, events go on coming in, old ones as well.
        let id = format!("round{round}");
        let old = event(&id, "p1@example.com", "open", now() - 90 * DAY);
        assert_eq!(server.post(&site, &batch(&[old])).0, 200);
        server.wait_drained();
        // Longer where it was cut off before it came to anything, shorter where it had ended.
        wait = if ended { wait / 3 } else { wait + wait / 2 };
    }
    assert!(cut >= 3 && halfway >= 1, "cut off {cut} times, {halfway} times while events were removed");
    assert!(start().wait().unwrap().success());
    let (trail, archive) = (in_trail(&site), in_archive(&site));
    assert!(trail.intersection(&archive).count() <= 1, "the newest event stays");
    assert!(all.is_subset(&archive), "{} of {}", archive.len(), all.len());
    eprintln!("cut off {cut} times, {halfway} times while events were removed");
    server.stop();
}
