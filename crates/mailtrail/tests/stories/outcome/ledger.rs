//! Runs that the ledger knows.

use std::sync::Arc;

use mailtrail::config::HashMode;
use mailtrail::protect::{EmailHash, KeyRing};
use mailtrail::run::{RecipientId, RequestId, RunName};
use mailtrail::store::Paths;
use mailtrail::store::keys::Keys as _;
use mailtrail::store::ledger::{Ended, RunLedger, note_sandbox};

use super::*;

/// Writes what a sender would.
pub struct Sender {
    ledger: RunLedger,
    keys: Arc<KeyRing>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl Sender {
    pub fn new(site: &Site, run: &str) -> Self {
        let keys = Arc::new(KeyRing::from_file(HashMode::HmacSha256, &site.path().join("mailtrail.key")).unwrap());
        let paths = Paths::new(site.path().join("mailtrail.db"));
        let at = now() * 1_000_000;
        let ledger = RunLedger::open(&paths, &RunName::new(run).unwrap(), &keys.identity(), at).unwrap();
        Self { ledger, keys, attempt: 1 }
    }

    pub fn hash(&self, address: &str) -> EmailHash {
        self.keys.email_hash(address)
    }

    pub fn request(&mut self, addresses: &[&str], ended: Ended<'_>) {
        let (request, at) = (RequestId::random().unwrap(), now() * 1_000_000);
        let people =
            addresses.iter().map(|one| (self.keys.email_hash(one), RecipientId::random().unwrap(), self.attempt));
        self.ledger.claim(request, &["news".to_owned()], None, people, at).unwrap();
        self.ledger.sending(request, at).unwrap();
        self.ledger.ended(request, ended, at).unwrap();
    }
}

/// An event of the run.
pub fn of_run(id: &str, email: &str, name: &str) -> String {
    event(id, email, name, now()).replacen("\"event\"", "\"mailtrail_run\":\"november\",\"event\"", 1)
}

#[test]
fn a_run_is_waited_for_and_uncertain_mail_is_confirmed_by_its_events() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let mut sender = Sender::new(&site, "november");
    sender.request(&["alice@example.com"], Ended::Accepted(Some("msg1")));
    let waiting = start(&site, &["wait", "november", "--format", "json", "--timeout", "60s"]);
    post(&server, &site, &[of_run("d1", "alice@example.com", "delivered")]);
    server.wait_drained();
    // The run is still being sent: that all so far are settled is no verdict.
    sender.request(&["bob@example.org", "carol@example.net"], Ended::Uncertain("cut"));
    sender.request(&["dave@example.com"], Ended::Refused { status: 400, why: "Bad Request" });
    drop(sender);
    post(&server, &site, &[of_run("d2", "bob@example.org", "delivered"), of_run("x3", "carol@example.net", "dropped")]);
    let (code, out, err) = end(waiting);
    assert_eq!(code, 0, "{out}{err}");
    let told = object(&out);
    for (key, expected) in
        [("recipients", 4), ("accepted", 3), ("uncertain", 0), ("delivered", 2), ("dropped", 1), ("refused", 1)]
    {
        assert_eq!(told[key], expected, "{key}: {told}");
    }
    assert_eq!(told["run"], "november");
    wait_for("the notice", || slack.posts(200).len() == 1);

    let (_, out, _) = run(&site, &["runs", "--format", "json"]);
    let told = object(&out);
    for (key, expected) in [
        ("asked", 4),
        ("accepted", 3),
        ("refused", 1),
        ("uncertain", 0),
        ("settled", 4),
        ("delivered", 2),
        ("unreached", 2),
    ] {
        assert_eq!(told[key], expected, "{key}: {told}");
    }
    let (_, out, _) = run(&site, &["runs", "november"]);
    assert!(out.starts_with("FIGURE") && out.contains("completeness  75.0 %"), "{out}");
    // Without the list there are no addresses, and with it only those of the list.
    let (_, out, _) = run(&site, &["unreached", "november", "--format", "json"]);
    let rows: Vec<Value> = out.lines().map(object).collect();
    assert!(rows.iter().all(|row| row["email"].is_null()), "{rows:?}");
    assert_eq!(
        [&rows[0]["reason"], &rows[1]["reason"]],
        ["SendGrid's API refused it: Bad Request", "SendGrid did not send it; why is not known"]
    );
    let (_, out, _) = run(&site, &["unreached", "november", "--list", "list.csv", "--format", "json"]);
    assert_eq!(object(out.lines().nth(1).unwrap())["email"], "carol@example.net");
    let (_, out, _) = run(&site, &["sent", "november", "--list", "list.csv", "--format", "json"]);
    let ledger: Vec<Value> = out.lines().map(|line| object(line)["ledger"].clone()).collect();
    assert_eq!(ledger, ["accepted", "uncertain", "uncertain"]);
}

#[test]
fn a_sandbox_and_a_run_of_another_tool() {
    let slack = Slack::start();
    let site = site(&slack);
    let server = site.serve();
    let paths = Paths::new(site.path().join("mailtrail.db"));
    note_sandbox(&paths, &RunName::new("tried").unwrap(), now() * 1_000_000).unwrap();
    let (code, _, err) = run(&site, &["wait", "tried"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("sandbox alone: nobody was mailed"), "{err}");
    // Another tool sets the custom arg itself.
    post(
        &server,
        &site,
        &[of_run("d1", "alice@example.com", "delivered"), of_run("d2", "bob@example.org", "delivered")],
    );
    server.wait_drained();
    let (code, _, err) = run(&site, &["wait", "november"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("not on record") && err.contains("--list FILE"), "{err}");
    assert_eq!(run(&site, &["wait", "november", "--expect", "2"]).0, 0);
    let (code, _, err) = run(&site, &["wait", "november", "--list", "list.csv", "--timeout", "1s", "--no-notify"]);
    assert_eq!(code, 4, "carol is outstanding: {err}");
    let (_, out, _) = run(&site, &["runs", "--format", "json"]);
    let names: Vec<Value> = out.lines().map(|line| object(line)["run"].clone()).collect();
    assert_eq!(names, ["tried", "november"]);
}
