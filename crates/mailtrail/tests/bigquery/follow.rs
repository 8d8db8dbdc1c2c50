//! Alerts for stateless receivers: one process follows, misses nothing, and tells nothing twice without need.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::emulator::Emulator;
use crate::hook::Hook;
use crate::support::{PATIENCE, Process, Running, Site, batch, event, now, wait_for};
use crate::{point, run};

/// A site without a disk, with these rules.
fn site(emulator: &Emulator, hook: &Hook, rules: &str) -> Site {
    let mut site = Site::with(&format!("[slack]\nwebhook_url = \"{0}\"\nops_webhook_url = \"{0}\"\n{rules}", hook.url));
    point(&mut site, emulator.rest, emulator.grpc);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    // The first append of a table takes the emulator a moment.
    site.environment("MAILTRAIL_BIGQUERY_APPEND_TIMEOUT", "60s");
    assert!(run(&site, &["bigquery", "init"]).0);
    site
}

fn post(server: &Running, site: &Site, name: &str, kind: &str, count: usize) {
    let of = |n| event(&format!("{name}-{n}"), &format!("jane.{name}.{n}@example.com"), kind, now());
    let events: Vec<String> = (0..count).map(of).collect();
    let (status, answer) = server.post(site, &batch(&events));
    assert_eq!(status, 200, "{answer}");
}

fn once(site: &Site) -> u64 {
    let (done, told, said) = run(site, &["follow", "--once"]);
    assert!(done, "{told}{said}");
    told.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn follow(site: &Site, args: &[&str]) -> Process {
    let mut command = site.command(&[&["follow", "--every", "5s"], args].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a process to end by itself; whether it succeeded, and what it said.
fn ended(mut child: Process) -> (bool, String) {
    let until = Instant::now() + 2 * PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it did not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

fn terminate(child: Process) -> (bool, String) {
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    ended(child)
}

const RULE: &str = "[[alert]]\nname = \"bad\"\ngroup = \"1ms\"\nevery = \"1ms\"";

#[test]
fn each_round_tells_what_came_in_since_the_last_one() {
    let Some(emulator) = Emulator::start() else { return };
    let hook = Hook::start();
    let site = site(&emulator, &hook, RULE);
    let server = site.serve();
    post(&server, &site, "before", "bounce", 5);
    assert_eq!(once(&site), 0, "a new rule begins with what comes in from now on");
    post(&server, &site, "first", "bounce", 7);
    post(&server, &site, "fine", "delivered", 9);
    assert_eq!((once(&site), hook.told()), (1, vec![7]));
    assert_eq!(once(&site), 0, "what was read is remembered over the end of a process");

    // Rows that become visible late, behind others that were received after them; a repetition; what is no news.
    let copy = |key: &str, received_ago: &str, verified_by: &str| {
        emulator.query(&format!(
            "INSERT INTO `demo.mail.sendgrid_event` SELECT * REPLACE ({key} AS event_key, TIMESTAMP_SUB(received_at, INTERVAL \
             {received_ago} SECOND) AS received_at, {verified_by} AS verified_by) FROM `demo.mail.sendgrid_event` \
             WHERE event = 'bounce' AND sg_event_id = 'first-0'"
        ));
    };
    copy("'late 1'", "200", "verified_by");
    copy("event_key", "-1", "verified_by");
    copy("'test'", "0", "'test'");
    copy("'import'", "0", "'import'");
    assert_eq!((once(&site), hook.told()), (1, vec![7, 1]));
    // Of the same event a row from before was overlooked: it is the same event all the same.
    copy("event_key", "1", "verified_by");
    assert_eq!(once(&site), 0);
    let left: Vec<String> = std::fs::read_dir(site.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left.len(), 2, "nothing is kept on this machine: {left:?}");
    let everything = hook.posts(200).concat();
    assert!(!everything.contains('@') && !everything.contains("jane"));
    server.stop();
}

#[test]
fn one_follows_and_another_is_refused_or_takes_over() {
    let Some(emulator) = Emulator::start() else { return };
    let hook = Hook::start();
    let site = site(&emulator, &hook, RULE);
    let server = site.serve();
    assert_eq!(once(&site), 0);
    let mut first = follow(&site, &[]);
    let holder = "SELECT COUNT(*) FROM `demo.mail.mailtrail_lock` WHERE name = 'follow' AND owner IS NOT NULL";
    wait_for("the lock to be taken", || emulator.count(holder) == 1);
    let (done, _, said) = run(&site, &["follow", "--once"]);
    assert!(!done && said.contains(&format!("process {}", first.id())) && said.contains("--take-over"), "{said}");

    // Nobody takes the message, and the follower is killed while it tries: its lock stays.
    hook.answer(503);
    post(&server, &site, "a", "bounce", 4);
    wait_for("a try that fails", || !hook.posts(503).is_empty());
    first.kill().unwrap();
    first.wait().unwrap();
    hook.answer(200);
    let (done, _, said) = run(&site, &["follow", "--once"]);
    assert!(!done && said.contains("is held by"), "{said}");
    let second = follow(&site, &["--take-over"]);
    wait_for("what nobody took to be told", || hook.told() == [4]);

    // Taken over while alive: it stops by itself as soon as it has told something, and the new one goes on.
    let third = follow(&site, &["--take-over"]);
    let theirs = format!(
        "SELECT COUNT(*) FROM `demo.mail.mailtrail_place` WHERE fence = (SELECT MAX(fence) FROM `demo.mail.mailtrail_lock`) \
         AND EXISTS (SELECT 1 FROM `demo.mail.mailtrail_lock` WHERE owner LIKE '%process {},%')",
        third.id()
    );
    wait_for("the third to have taken over", || emulator.count(&theirs) == 1);
    post(&server, &site, "b", "bounce", 3);
    let (done, said) = ended(second);
    assert!(!done && said.contains("has taken over") && said.contains(&third.id().to_string()), "{said}");
    wait_for("the third to tell", || hook.told().iter().filter(|events| **events == 3).count() >= 1);
    post(&server, &site, "c", "bounce", 2);
    wait_for("the third to tell more", || hook.told().last() == Some(&2));
    let (done, said) = terminate(third);
    assert!(done && said.contains("stopped"), "{said}");
    assert_eq!(emulator.count(holder), 0, "who ends lets go");
    assert_eq!(once(&site), 0, "all was told");
    server.stop();
}

#[test]
fn silence_is_told_across_rounds_and_its_end() {
    let Some(emulator) = Emulator::start() else { return };
    let hook = Hook::start();
    let rules = "[[alert]]\nname = \"quiet\"\nsilence = \"2s\"\n[[alert]]\nname = \"news\"\nsilence = \"2s\"\ncategory = \"news\"";
    let site = site(&emulator, &hook, rules);
    let server = site.serve();
    let said = |what: &str| hook.posts(200).iter().filter(|post| post.contains(what)).count();
    wait_for("silence to be told", || {
        once(&site);
        said("No events are coming in") == 2
    });
    assert_eq!(once(&site), 0, "once");
    post(&server, &site, "a", "delivered", 1);
    wait_for("its end to be told", || {
        once(&site);
        said("coming in again") == 2
    });
    server.stop();
}

#[test]
fn who_cannot_follow_is_told_why() {
    let emulatorless = Site::new();
    let output = emulatorless.command(&["follow"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("serve tells alerts itself"));
    let mut site = Site::new();
    point(&mut site, "127.0.0.1:9".parse().unwrap(), "127.0.0.1:9".parse().unwrap());
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    for (args, expected) in [(&["follow"][..], "[[alert]]"), (&["follow", "--every", "1s"], "5s at least")] {
        let output = site.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}
