//! `mailtrail demo`, as a newcomer runs it: nothing configured, and an environment that tries to lead it elsewhere.

#![allow(missing_docs, reason = "test code")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_demo_tells_the_whole_story_and_proves_it() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    for seed in ["1", "2"] {
        let output = Command::new(env!("CARGO_BIN_EXE_mailtrail"))
            .args(["demo", "--recipients", "150", "--seed", seed])
            .current_dir(elsewhere.path())
            .env("MAILTRAIL_STORE_PATH", elsewhere.path().join("not-here.db"))
            .env("MAILTRAIL_RECEIVE_LISTEN", "192.0.2.1:1")
            .output()
            .expect("it starts");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
        for sentence in [
            "a shop mails 150 customers",
            "SendGrid has the mail for 150 recipients",
            "serve was stopped after",
            "3. Slack got",
            "│ Recipients: 150",
            "4. Who did not get it, and why?",
            "$ mailtrail timeline ",
            "150  skipped: were mailed in this run already",
            ": 0 missing, 0 doubled, 0 never told",
            "status of 150 recipients against SendGrid's truth: 0 wrong",
            "150 mails at SendGrid for 150 customers: 0 mailed twice",
            "searched for every address of the list: 0 found",
            "Every event is stored once, nobody was mailed twice.",
            "Its page was at http://127.0.0.1:",
        ] {
            assert!(told.contains(sentence), "{sentence:?} is missing in:\n{told}");
        }
    }
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("readable").count(), 0, "nothing was written here");
}

/// Ends with the test, however that ends.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Head and body of what a page answers.
fn get(address: &str, path: &str, cookie: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the page");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

#[test]
fn kept_it_shows_a_run_under_way_until_it_is_interrupted() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let child = Command::new(env!("CARGO_BIN_EXE_mailtrail"))
        .args(["demo", "--recipients", "60", "--keep"])
        .current_dir(elsewhere.path())
        .env("TMPDIR", elsewhere.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut demo = Demo(child);
    let mut lines = BufReader::new(demo.0.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let link = lines.find(|line| line.contains("/enter/")).expect("a link");
    let (address, path) = link.trim().strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a link");
    let ending = lines.find(|line| line.contains("Ctrl-C ends it")).expect("how to end it");

    // The link logs in, and only once.
    let (head, _) = get(address, &format!("/{path}"), "");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a session");
    let cookie = cookie.split(';').next().unwrap_or_default();
    assert!(head.starts_with("HTTP/1.1 303"), "{head}");
    assert!(get(address, &format!("/{path}"), "").0.starts_with("HTTP/1.1 401"), "{ending}");

    // The run is there, and moves.
    assert!(get(address, "/runs", cookie).1.contains("summer-news"));
    let figures = || get(address, "/runs/summer-news/figures", cookie).1;
    let first = figures();
    assert!(first.contains("In progress") && first.contains("of 60 settled"), "{first}");
    let until = Instant::now() + Duration::from_secs(60);
    while figures() == first {
        assert!(Instant::now() < until, "nothing moves: {first}");
        std::thread::sleep(Duration::from_millis(100));
    }

    let id = demo.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let rest: Vec<String> = lines.collect();
    assert!(demo.0.wait().expect("it ends").success(), "{rest:?}");
    let kept =
        rest.iter().find_map(|line| line.strip_prefix("Kept in ")?.split_once(". ")).expect("where it is kept").0;
    assert!(std::path::Path::new(kept).join("mailtrail.db").exists(), "{rest:?}");
}
