//! `mailtrail demo`, as a newcomer runs it: nothing configured, and an environment that tries to lead it elsewhere.

#![allow(missing_docs, reason = "test code")]

use std::process::Command;

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
        ] {
            assert!(told.contains(sentence), "{sentence:?} is missing in:\n{told}");
        }
    }
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("readable").count(), 0, "nothing was written here");
}
