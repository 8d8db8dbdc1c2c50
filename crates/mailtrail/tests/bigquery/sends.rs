//! Sending once and its questions with BigQuery alone: receivers and senders without a file of their own.

mod locks;
mod post;
mod slack;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Output, Stdio};

use sendgrid_simulator::fate::Fate;
use sendgrid_simulator::mail_api::Fault;
use serde_json::Value;

use crate::emulator::Emulator;
use crate::support::{CREDENTIALS, batch, event, now};
use post::{Post, address, report, text};
use slack::Slack;

/// What differs from one send to the next.
const OF_THE_MOMENT: [&str; 10] = [
    "elapsed_s",
    "begun",
    "last_event",
    "first_seen",
    "accepted_at",
    "last",
    "oldest_deferral",
    "message_id",
    "last_seen",
    "recipient",
];

/// A whole send: mailed, waited for, asked about, and sent again. Everything that was answered, without what is of the moment.
fn story(post: &Post) -> Vec<(String, Option<i32>, Vec<Value>)> {
    let server = post.site.serve();
    let events = post.events(&server, |mail| match mail.address.as_bytes()[10] {
        b'1' => Fate::Blocked,
        b'2' => Fate::Bounce,
        b'3' => Fate::Dropped,
        b'4' => Fate::DeferredForLong,
        b'5' => Fate::LateBounce,
        _ => Fate::Delivered,
    });
    post.list(30, 10);
    // One that SendGrid refuses by itself, among others of a request.
    let list = post.site.path().join("list.csv");
    let with_refused = std::fs::read_to_string(&list).unwrap() + "jane.roe@refused.invalid,N,group-2\n";
    std::fs::write(&list, with_refused).unwrap();
    let mut answers = Vec::new();
    let mut note = |what: &str, output: &Output| {
        let mut lines: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)))
            .collect();
        for line in lines.iter_mut().filter_map(Value::as_object_mut) {
            // SendGrid refuses for whatever reason it likes.
            let by_lot = line.get("status").is_some_and(|status| status != "dropped");
            line.retain(|key, _| {
                let why = matches!(key.as_str(), "reason" | "classification");
                !(OF_THE_MOMENT.contains(&key.as_str()) || by_lot && why)
            });
        }
        answers.push((what.to_owned(), output.status.code(), lines));
        text(&output.stderr)
    };
    let all = ["--category", "news"];
    let told = note("send", &post.send("november", &all));
    assert!(!told.contains('@'), "{told}");
    post.runtime.block_on(events.finish()).unwrap();
    if post.site.path().join("mailtrail.db").exists() {
        server.wait_drained();
    }
    let since = ["--since", "2h"];
    let list = ["--list", "list.csv", "--format", "json"];
    let questions: [&[&str]; 12] = [
        &["wait", "november", "--exit-status", "--quiet", "1s", "--timeout", "1s", "--format", "json"],
        &["wait", "november", "--until", "seen", "--format", "json"],
        &["unreached", "november", "--format", "json"],
        &[&["unreached", "november", "--include-pending"][..], &list].concat(),
        &[&["unreached", "--category", "group-1"][..], &since, &list].concat(),
        &[&["sent", "november"][..], &list].concat(),
        &[&["sent", "--category", "group-1"][..], &since, &list].concat(),
        &["sent", "november", "--list", "list.csv", "--not-sent"],
        &["runs", "--format", "json"],
        &["runs", "november", "--format", "json"],
        &["wait", "--category", "group-0", "--since", "2h", "--expect", "10", "--timeout", "1s", "--format", "json"],
        &["runs", "nobody-ever"],
    ];
    for question in questions {
        let output = post.site.command(question).output().unwrap();
        let told = note(&question.join(" "), &output);
        assert!(
            matches!(output.status.code(), Some(0 | 3 | 4 | 5)) || question.contains(&"nobody-ever"),
            "{question:?}: {told}"
        );
    }
    // Again: nobody, also of those whom SendGrid's lost answer left in doubt, since events speak for them.
    note("again", &post.send("november", &all));
    note("resend", &post.send("november", &["--resend-uncertain"]));
    post.list(31, 10);
    note("dry run", &post.send("november", &["--dry-run"]));
    note("one more", &post.send("november", &[]));
    note("recently", &post.send("december", &["--category", "group-1", "--not-sent-since", "1d", "--dry-run"]));
    note("a second try", &post.send("again", &["--only-unreached", "november"]));
    note("waited for at once", &post.send("november", &["--wait", "--quiet", "1s", "--timeout", "1s"]));
    let lines: String =
        (0..3).map(|n| format!("{{\"email\":\"{}\",\"subject\":\"Bill {n}\",\"text\":\"x\"}}\n", address(n))).collect();
    std::fs::write(post.site.path().join("messages.ndjson"), lines).unwrap();
    for turn in ["messages", "the same messages again"] {
        let args = ["send", "--messages", "messages.ndjson", "--run", "bills"];
        note(turn, &post.site.command(&args).output().unwrap());
    }
    note("sandbox", &post.send("tried", &["--sandbox"]));
    note("wait for the sandbox", &post.site.command(&["wait", "tried"]).output().unwrap());
    note("all runs", &post.site.command(&["runs", "--format", "json"]).output().unwrap());
    for run in ["november", "again", "bills"] {
        post.assert_once(run);
    }
    assert_eq!(post.counts("november").len(), 31);
    server.stop();
    answers
}

#[test]
fn a_whole_send_is_the_same_on_both_stores_and_mails_nobody_twice() {
    let Some(emulator) = Emulator::start() else { return };
    // The second request is accepted, but nobody hears of it.
    let faults = |request| if request == 1 { Fault::CutAfterAccepting } else { Fault::None };
    let here = Post::new(faults);
    let there = Post::stateless(&emulator, faults);
    // The same key, so that the hashes are the same; the dataset was begun with it, too.
    let key = std::fs::read_to_string(there.site.path().join("mailtrail.key")).unwrap();
    here.site.write_secret("mailtrail.key", &key);
    let (on_sqlite, on_bigquery) = (story(&here), story(&there));
    assert_eq!(on_sqlite.len(), on_bigquery.len());
    for (here, there) in on_sqlite.iter().zip(&on_bigquery) {
        assert_eq!(here, there);
    }
    let unreached = &on_bigquery.iter().find(|(name, ..)| name == "unreached november --format json").unwrap().2;
    let refused = unreached.iter().find(|row| row["status"] == "refused").expect("a refused recipient");
    assert!(refused["email"].is_null(), "{refused}");
    let of = |what: &str| &on_bigquery.iter().find(|(name, ..)| name == what).unwrap().2;
    assert_eq!((&of("send")[0]["accepted"], &of("send")[0]["uncertain"]), (&20.into(), &10.into()));
    assert_eq!((&of("one more")[0]["accepted"], &of("one more")[0]["skipped"]["accepted"]), (&1.into(), &30.into()));
    assert!(of("a second try")[0]["accepted"].as_u64() > Some(5), "{:?}", of("a second try"));
    let names: Vec<String> = std::fs::read_dir(there.site.path())
        .unwrap()
        .map(|one| one.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| !name.ends_with(".db") && !name.ends_with(".lock")), "{names:?}");
    // Whatever a sender wrote: no address, and nobody holds a run.
    let rows = emulator.query("SELECT TO_JSON_STRING(t) FROM `demo.mail.sendgrid_send` AS t");
    assert!(rows.len() > 90 && rows.iter().all(|row| !row[0].contains('@') && !row[0].contains("customer")));
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.mailtrail_lock` WHERE owner IS NOT NULL"), 0);
    here.end();
    there.end();
}

#[test]
fn waiting_outlives_the_store_and_its_end_is_told_once() {
    let Some(mut emulator) = Emulator::start() else { return };
    let slack = Slack::start();
    let mut post = Post::stateless(&emulator, |_| Fault::None);
    post.site.environment("MAILTRAIL_SLACK_WEBHOOK_URL", &slack.url);
    post.list(4, 4);
    assert_eq!(report(&post.send("november", &[]))["accepted"], 4);
    let server = post.site.serve();
    let waiting = ["wait", "november", "--format", "json", "--timeout", "100s"];
    let mut child = post.site.command(&waiting);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    said.read_line(&mut told).unwrap();
    assert!(told.starts_with("0/4 settled"), "it has begun to wait: {told}");
    emulator.kill();
    emulator.restart();
    let delivered: Vec<String> = (0..4).map(of_november).collect();
    assert_eq!(server.post(&post.site, &batch(&delivered)).0, 200);
    let output = child.wait_with_output().unwrap();
    said.read_to_string(&mut told).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!((&report(&output)["delivered"], &report(&output)["behind"]), (&4.into(), &0.into()));
    // Another machine that waits for the same knows that people were told.
    assert_eq!(post.site.command(&waiting).output().unwrap().status.code(), Some(0));
    assert_eq!(slack.posts().len(), 1, "{:?}", slack.posts());
    assert!(slack.posts()[0].contains("november") && !slack.posts()[0].contains("customer"));
    server.stop();
    post.end();
}

/// That a recipient of the run got it.
fn of_november(n: usize) -> String {
    let event = event(&format!("d{n}"), &address(n), "delivered", now());
    event.replacen("\"event\"", "\"mailtrail_run\":\"november\",\"event\"", 1)
}

/// What nothing vouches for, since a public key was configured, settles nobody; it holds a second mail back.
#[test]
fn what_nothing_vouches_for_is_left_out_since_the_first_key() {
    let Some(emulator) = Emulator::start() else { return };
    let post = Post::stateless(&emulator, |_| Fault::None);
    let first_key = "SELECT COUNT(*) FROM `demo.mail.mailtrail_meta` WHERE name = 'first_public_key_at'";
    assert_eq!(emulator.count(first_key), 1, "init notes it");
    post.list(2, 2);
    assert_eq!(report(&post.send("november", &["--category", "news"]))["accepted"], 2);
    // Anybody with the credentials can say so.
    let body = batch(&[of_november(0)]);
    post.site.configure(&format!("basic_auth = [\"{CREDENTIALS}\"]"));
    let server = post.site.serve();
    let headers = [crate::support::basic(CREDENTIALS), ("Content-Length".to_owned(), body.len().to_string())];
    let (status, _) = crate::support::request(server.address, "POST", "/event", &headers, &body).unwrap();
    assert_eq!(status, 200);
    server.stop();
    emulator.query("UPDATE `demo.mail.sendgrid_event` SET verified_by = NULL WHERE TRUE");
    let wait = ["wait", "november", "--timeout", "1s", "--format", "json"];
    let told = report(&post.site.command(&wait).output().unwrap());
    assert_eq!((&told["unknown"], &told["left_out"], &told["delivered"]), (&2.into(), &1.into(), &0.into()), "{told}");
    let sent = ["sent", "november", "--list", "list.csv", "--format", "json"];
    let output = post.site.command(&sent).output().unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 2, "{}", text(&output.stderr));
    emulator.query("DELETE FROM `demo.mail.mailtrail_meta` WHERE name = 'first_public_key_at'");
    let told = report(&post.site.command(&wait).output().unwrap());
    assert_eq!((&told["delivered"], &told["left_out"]), (&1.into(), &0.into()), "{told}");
    post.end();
}
