//! What became of a send: waiting for it, who was not reached, who was mailed before; with events of any tool and of a ledger.

mod ledger;
mod names;
mod new_key;
mod refused;

use std::process::{Output, Stdio};

use serde_json::Value;

use crate::alert::{Slack, json};
use crate::support::{Process, Running, Site, batch, event, now, wait_for};

/// As Japanese business people save it: other columns, and one whose name is needed for the answer.
const LIST: &str = "会社,E-Mail,Status\nA社,Alice@example.com,=1+1\nB社,bob@example.org,gold\nC社,carol@example.net,\n";

fn site(slack: &Slack) -> Site {
    let site = Site::with(&format!("[slack]\nwebhook_url = \"{}\"", slack.url));
    std::fs::write(site.path().join("list.csv"), LIST).unwrap();
    site
}

fn start(site: &Site, args: &[&str]) -> Process {
    site.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Process) -> (i32, String, String) {
    finished(child.wait_with_output().unwrap())
}

fn run(site: &Site, args: &[&str]) -> (i32, String, String) {
    end(start(site, args))
}

fn finished(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("no object: {text}"))
}

fn post(server: &Running, site: &Site, events: &[String]) {
    let (status, answer) = server.post(site, &batch(events));
    assert_eq!(status, 200, "{answer}");
}

fn bounce(id: &str, email: &str, at: i64) -> String {
    let why = "\"reason\":\"550 5.1.1 no such user\",\"status\":\"5.1.1\",\"bounce_classification\":\"Invalid Address\",\
               \"type\":\"bounce\",\"event\"";
    event(id, email, "bounce", at).replacen("\"event\"", why, 1)
}

const OF_LIST: [&str; 6] = ["--category", "news", "--since", "2h", "--list", "list.csv"];

#[test]
fn mail_of_any_tool_is_waited_for_and_the_unreached_are_handed_over() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let at = now() - 60;
    post(
        &server,
        &site,
        &[event("p1", "alice@example.com", "processed", at), event("p2", "bob@example.org", "processed", at)],
    );
    let args = ["--exit-status", "--unreached-out", "failed.csv", "--format", "json", "--timeout", "30s"];
    let args = [&["wait"][..], &OF_LIST, &args].concat();
    let mut waiting = start(&site, &args);
    let others =
        [event("d1", "alice@example.com", "delivered", at + 1), event("d3", "carol@example.net", "delivered", at + 1)];
    post(&server, &site, &others);
    server.wait_drained();
    assert_eq!(waiting.try_wait().unwrap(), None, "one is outstanding");
    // A row more than there are recipients, and one of nobody on the list: counts are of recipients.
    post(
        &server,
        &site,
        &[event("o1", "alice@example.com", "open", at + 2), event("x1", "x@example.com", "bounce", at)],
    );
    post(&server, &site, &[bounce("b2", "bob@example.org", at + 3)]);
    let (code, out, err) = end(waiting);
    assert_eq!(code, 3, "{out}{err}");
    let told = object(&out);
    for (key, expected) in [
        ("recipients", 3),
        ("delivered", 2),
        ("bounce", 1),
        ("unknown", 0),
        ("settled", 3),
        ("unreached", 1),
        ("behind", 0),
    ] {
        assert_eq!(told[key], expected, "{key}: {told}");
    }
    assert_eq!((&told["run"], &told["category"]), (&Value::Null, &Value::from("news")));
    assert_eq!((&told["timed_out"], told["completeness"].as_f64()), (&Value::from(false), Some(1.0)));
    assert!(told["elapsed_s"].as_f64().unwrap() < 30.0);

    let file = std::fs::read_to_string(site.path().join("failed.csv")).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines.len(), 2, "{file}");
    assert_eq!(lines[0], "\u{feff}会社,E-Mail,Status,email_hash,mailtrail_status,reason,classification,first_seen");
    assert!(lines[1].starts_with("B社,bob@example.org,gold,"), "{file}");
    assert!(lines[1].contains(",bounce,the address does not exist,Invalid Address,"), "{file}");
    let again = std::fs::read_to_string(site.path().join("failed.csv")).unwrap();
    std::fs::write(site.path().join("again.csv"), again).unwrap();
    let (code, out, err) = run(&site, &["sent", "--category", "news", "--list", "again.csv", "--format", "json"]);
    assert_eq!((code, out.lines().count()), (0, 1), "the file is a list again: {err}");

    // Told once, without any address, however often somebody waits.
    assert_eq!(run(&site, &args).0, 3);
    let posts = slack.posts(200);
    assert_eq!(posts.len(), 1);
    assert!(json(&posts[0])["text"].as_str().unwrap().contains("news since"), "{}", posts[0]);
    assert!(posts[0].contains("Invalid Address") && !posts[0].contains("bob") && !posts[0].contains("example.org"));
    assert!(!err.contains("bob"), "{err}");
}

#[test]
fn who_was_not_reached_is_listed_with_why() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let at = now() - 60;
    post(&server, &site, &[bounce("b1", "alice@example.com", at), event("d2", "bob@example.org", "delivered", at)]);
    // What is in the spool counts, whoever brings it to the trail.
    server.kill();
    let (code, out, err) = run(&site, &[&["unreached"][..], &OF_LIST, &["--format", "csv", "--bom"]].concat());
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "\u{feff}email,email_hash,status,reason,classification,first_seen");
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[1].starts_with("Alice@example.com,"), "{out}");
    assert!(lines[1].contains(",bounce,the address does not exist,Invalid Address,"), "{out}");
    assert!(err.contains("1 of 3 are not settled yet (--include-pending)"), "{err}");
    let pending = [&["unreached"][..], &OF_LIST, &["--include-pending", "--format", "json"]].concat();
    let (_, out, _) = run(&site, &pending);
    let rows: Vec<Value> = out.lines().map(object).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["email"], &rows[0]["status"]), (&Value::from("carol@example.net"), &Value::from("unknown")));
    assert!(rows[0]["reason"].as_str().unwrap().starts_with("no event has come") && rows[0]["first_seen"].is_null());
    let (_, out, _) = run(&site, &[&["unreached"][..], &OF_LIST].concat());
    assert!(out.starts_with("EMAIL ") && out.contains("the address does not exist"), "{out}");
    assert_eq!(run(&site, &["unreached", "--category", "news", "--list", "list.csv"]).0, 2, "from when?");
}

/// `[output]`: people read their language and their clock, machines English and UTC.
#[test]
fn people_are_spoken_to_in_their_language_and_by_their_clock() {
    let slack = Slack::start();
    let mut site = site(&slack);
    site.environment("MAILTRAIL_OUTPUT_LANGUAGE", "ja");
    site.environment("MAILTRAIL_OUTPUT_TIME_ZONE", "Asia/Tokyo");
    let server = site.serve();
    // 15:30 UTC is the next day in Tokyo already.
    let at = now() / 86_400 * 86_400 - 2 * 86_400 + 15 * 3600 + 1800;
    post(&server, &site, &[bounce("b1", "alice@example.com", at), event("d2", "bob@example.org", "delivered", at)]);
    server.wait_drained();
    let day = |days: i64| jiff::Timestamp::from_second(at + days * 86_400).unwrap().strftime("%Y-%m-%d").to_string();
    let (today, tomorrow) = (day(0), day(1));
    let selected = ["--category", "news", "--since", &tomorrow, "--list", "list.csv"];
    let unreached = |format: &str| run(&site, &[&["unreached"][..], &selected, &["--format", format]].concat());

    let (code, csv, err) = unreached("csv");
    assert_eq!(code, 0, "{err}");
    assert!(csv.starts_with('\u{feff}'), "Excel knows it for UTF-8: {csv}");
    assert!(csv.contains(&format!(",宛先のアドレスが存在しません,Invalid Address,{tomorrow}T00:30:00+09:00")), "{csv}");
    assert!(unreached("table").1.contains("宛先のアドレスが存在しません"));
    let row = object(&unreached("json").1);
    assert_eq!(row["reason"], "the address does not exist");
    assert_eq!(row["first_seen"], format!("{today}T15:30:00Z"));

    let (_, counts, err) = run(&site, &["stats", "--by", "day", "--since", &tomorrow, "--format", "csv"]);
    assert_eq!(counts, format!("\u{feff}day,events\n{tomorrow},2\n"), "{err}");
    let (_, hours, _) = run(&site, &["stats", "--by", "hour", "--since", "30d", "--format", "json"]);
    assert_eq!(object(&hours)["hour"], format!("{tomorrow}T00:00+09:00"));
    let (code, _, err) = run(&site, &[&["wait"][..], &selected, &["--timeout", "1s", "--until", "seen"]].concat());
    assert_eq!(code, 4, "{err}");
    let told = slack.posts(200);
    assert!(json(&told[0])["text"].as_str().unwrap().contains(&format!("{tomorrow}T00:00:00+09:00")), "{}", told[0]);
}

#[test]
fn what_is_not_settled_in_time_is_told_and_so_is_what_stays_deferred() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let at = now() - 3_600;
    let alice = event("d1", "alice@example.com", "delivered", at);
    post(&server, &site, &[alice, event("f2", "bob@example.org", "deferred", at)]);
    server.wait_drained();
    let args = [&["wait"][..], &OF_LIST, &["--timeout", "1s", "--exit-status"]].concat();
    let (code, out, err) = run(&site, &args);
    assert_eq!(code, 4, "{out}{err}");
    assert_eq!(
        out,
        "STATUS     RECIPIENTS  SHARE\nunknown             1  33.3 %\ndeferred            1  33.3 %\ndelivered           1  33.3 %\n"
    );
    assert!(
        err.contains("not settled in time: 1/3 settled · unknown 1 · deferred 1 · delivered 1 · oldest deferral 1h 0m"),
        "{err}"
    );
    let (code, _, err) =
        run(&site, &[&["wait"][..], &OF_LIST, &["--until", "seen", "--timeout", "1s", "--no-notify"]].concat());
    assert_eq!(code, 4, "carol was never seen: {err}");

    post(&server, &site, &[event("d3", "carol@example.net", "delivered", at)]);
    server.wait_drained();
    assert_eq!(run(&site, &[&["wait"][..], &OF_LIST, &["--until", "seen", "--no-notify"]].concat()).0, 0);
    let args = [&["wait"][..], &OF_LIST, &["--quiet", "1s", "--format", "json"]].concat();
    let (code, out, err) = run(&site, &args);
    assert_eq!(code, 5, "{err}");
    let told = object(&out);
    assert_eq!((&told["ended"], &told["timed_out"], &told["deferred"]), (&"quiet".into(), &false.into(), &1.into()));
    assert!(told["oldest_deferral"].as_str().unwrap().ends_with('Z'), "{told}");
    // The time-out and the quiet end; not the tries with --no-notify.
    let kinds: Vec<String> =
        slack.posts(200).iter().map(|post| json(post)["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert!(kinds.iter().all(|text| text.contains("news since")), "{kinds:?}");
}

/// A send that takes its time is told of while it goes on: once, and again when something has changed.
#[test]
fn how_a_long_send_stands_is_told_on_the_way() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let at = now() - 60;
    post(&server, &site, &[event("d1", "alice@example.com", "delivered", at)]);
    let waiting = start(&site, &[&["wait"][..], &OF_LIST, &["--report-after", "1s", "--timeout", "60s"]].concat());
    wait_for("the first report", || slack.posts(200).len() == 1);
    post(&server, &site, &[event("d2", "bob@example.org", "delivered", at)]);
    wait_for("a report of the change", || slack.posts(200).len() == 2);
    post(&server, &site, &[event("d3", "carol@example.net", "delivered", at)]);
    let (code, out, err) = end(waiting);
    assert_eq!(code, 0, "{out}{err}");
    let told: Vec<String> =
        slack.posts(200).iter().map(|post| json(post)["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("Send going on, 2 outstanding"), "{told:?}");
    assert!(told[1].contains("Send going on, 1 outstanding"), "{told:?}");
    assert!(told[2].contains("Send finished, everybody reached"), "{told:?}");
}

#[test]
fn questions_that_cannot_be_answered_say_why() {
    let slack = Slack::start();
    let site = site(&slack);
    for (args, code, words) in [
        (&["wait", "november"][..], 1, "there is no run \"november\""),
        (&["unreached", "november"], 1, "there is no run \"november\""),
        (&["sent", "november", "--list", "list.csv"], 1, "there is no run \"november\""),
        (&["runs", "november"], 1, "there is no run \"november\""),
        (&["wait", "--category", "news", "--since", "2h"], 2, "--list FILE, or how many by --expect N"),
        (&["wait", "--category", "news", "--list", "list.csv"], 2, "--since"),
        (&["wait", "november", "--unreached-out", "x.csv"], 2, "--list FILE"),
        (&["wait", "november", "--quiet", "soon"], 2, "no length of time"),
        (&["wait"], 2, "RUN"),
        (&["sent", "--category", "news"], 2, "--list FILE"),
    ] {
        let (found, out, err) = run(&site, args);
        assert_eq!((found, out.as_str()), (code, ""), "{args:?}: {err}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
    let (code, out, _) = run(&site, &["runs"]);
    assert_eq!((code, out.as_str()), (0, ""), "none yet, and no trail");
}

#[test]
fn waiting_outlives_the_receiver() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let at = now() - 60;
    let waiting = start(&site, &["wait", "--category", "news", "--since", "2h", "--expect", "2", "--timeout", "60s"]);
    post(&server, &site, &[event("d1", "alice@example.com", "delivered", at)]);
    server.kill();
    let server = site.serve();
    post(&server, &site, &[event("d2", "bob@example.org", "delivered", at)]);
    let (code, out, err) = end(waiting);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("delivered           2  100.0 %"), "{out}");
    wait_for("the notice", || slack.posts(200).len() == 1);
}

#[test]
fn who_was_mailed_before_is_known_whichever_tool_did_it() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let at = now() - 60;
    let dropped = event("x2", "bob@example.org", "dropped", at);
    post(&server, &site, &[event("d1", "alice@example.com", "delivered", at), dropped]);
    server.wait_drained();
    let (code, out, err) = run(&site, &["sent", "--category", "news", "--list", "list.csv", "--format", "json"]);
    assert_eq!(code, 0, "{err}");
    let rows: Vec<Value> = out.lines().map(object).collect();
    assert_eq!(rows.len(), 1, "what was only dropped was not sent: {out}");
    assert_eq!((&rows[0]["email"], &rows[0]["status"]), (&"Alice@example.com".into(), &"delivered".into()));
    assert_eq!((&rows[0]["ledger"], &rows[0]["verified"]), (&Value::Null, &true.into()));
    assert!(
        err.contains("1 of 3 on the list were mailed, or may have been: 1 delivered; events are in up to 20"),
        "{err}"
    );
    let (_, out, _) = run(&site, &[&["sent"][..], &OF_LIST, &["--not-sent"]].concat());
    assert_eq!(out, "会社,E-Mail,Status\nB社,bob@example.org,gold\nC社,carol@example.net,\n");
    let (_, out, _) = run(&site, &["sent", "--category", "other", "--list", "list.csv", "--not-sent"]);
    assert_eq!(out, LIST.replace("=1+1", "'=1+1"), "a formula is neutral, and `send` takes the mark off again");
}
