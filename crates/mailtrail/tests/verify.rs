//! `mailtrail verify` as people run it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sendgrid_simulator::Signer;

const BODY: &[u8] =
    b"[{\"event\":\"open\",\"timestamp\":1700000000,\"email\":\"secret@example.com\"},\r\n{\"event\":\"x\"}]\r\n";

fn verify(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailtrail"));
    command.arg("verify").args(args).current_dir(folder).env_clear().stdin(Stdio::null());
    let output = command.output().expect("the binary runs");
    for shown in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(shown).contains("secret"), "content of the body is shown");
    }
    output
}

fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// A folder with `body`, `headers` and `key`, and the key's text.
fn saved(body: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let signer = Signer::generate().expect("randomness");
    let signed = signer.sign(1_700_000_000, body).expect("randomness");
    let headers = format!(
        "> POST / HTTP/1.1\r\n> x-twilio-email-event-webhook-signature: {}\r\n> x-twilio-email-event-webhook-timestamp: {}\r\n",
        signed.signature, signed.timestamp
    );
    for (name, content) in [("body", body), ("headers", headers.as_bytes()), ("key", signer.public_key().as_bytes())] {
        fs::write(folder.path().join(name), content).expect("written");
    }
    (folder, signer.public_key().to_owned())
}

#[test]
fn a_signature_that_holds_is_told_with_key_age_and_events() {
    let (folder, key) = saved(BODY);
    let text = told(&verify(folder.path(), &["--body", "body", "--headers", "headers", "--key", &key]), 0);
    let id = sendgrid_events::PublicKey::parse(&key).expect("own key").id().to_string();
    for part in ["holds", &id, "days ago", "1, and 1 that cannot be read"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    told(&verify(folder.path(), &["--body", "body", "--headers", "headers", "--key-file", "key"]), 0);
    let other = Signer::generate().expect("randomness");
    let both = ["--body", "body", "--headers", "headers", "--key", other.public_key(), "--key", &key];
    told(&verify(folder.path(), &both), 0);
}

#[test]
fn a_signature_that_fails_is_told_with_the_reason() {
    let (folder, key) = saved(BODY);
    let args = ["--body", "body", "--headers", "headers", "--key", &key];
    fs::write(folder.path().join("body"), BODY.trim_ascii_end()).expect("written");
    let text = told(&verify(folder.path(), &args), 1);
    assert!(text.contains("holds once this is mended") && text.contains("line break at its end"), "{text}");

    fs::write(folder.path().join("body"), "[{\"event\":\"secret\"}]").expect("written");
    let text = told(&verify(folder.path(), &args), 1);
    assert!(text.contains("another key or to other bytes"), "{text}");

    fs::write(folder.path().join("headers"), "Host: example.com\n").expect("written");
    let text = told(&verify(folder.path(), &args), 1);
    assert!(text.contains("not signed"), "{text}");
}

#[test]
fn headers_may_be_given_on_the_command_line_and_the_body_on_stdin() {
    let (folder, key) = saved(BODY);
    let signer = Signer::generate().expect("randomness");
    let signed = signer.sign(1_700_000_000, BODY).expect("randomness");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailtrail"));
    command.args(["verify", "--body", "-", "--signature", &signed.signature, "--timestamp", &signed.timestamp]);
    command.args(["--key", signer.public_key()]).stdin(fs::File::open(folder.path().join("body")).expect("saved"));
    told(&command.output().expect("the binary runs"), 0);

    let one = ["--body", "body", "--signature", &signed.signature, "--key", &key];
    let text = told(&verify(folder.path(), &one), 1);
    assert!(text.contains("Timestamp is missing"), "{text}");
}

#[test]
fn wrong_usage_is_told_apart_from_a_failed_signature() {
    let (folder, key) = saved(BODY);
    for args in [
        &["--body", "body", "--headers", "headers"][..],
        &["--body", "body", "--key", &key],
        &["--headers", "headers", "--key", &key],
        &["--body", "absent", "--headers", "headers", "--key", &key],
        &["--body", "body", "--headers", "headers", "--timestamp", "1", "--key", &key],
    ] {
        told(&verify(folder.path(), args), 2);
    }
}
