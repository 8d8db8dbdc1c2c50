//! A run as `mailtrail send` leaves it in the ledger, and the events that come of it.

use std::sync::Arc;

use mailtrail::config::HashMode;
use mailtrail::protect::KeyRing;
use mailtrail::run::{RecipientId, RequestId, RunName};
use mailtrail::store::Paths;
use mailtrail::store::keys::Keys as _;
use mailtrail::store::ledger::{Ended, RunLedger, note_sandbox};
use serde_json::json;

use crate::support::{Site, now};

const DOMAINS: [&str; 6] =
    ["gmail.com", "yahoo.co.jp", "docomo.ne.jp", "icloud.com", "outlook.com", "slow-school.example"];

/// Who does not get it, of a hundred: event, type, status, classification, reason.
const FAILURES: [(&str, &str, &str, &str, &str); 5] = [
    (
        "bounce",
        "bounce",
        "5.1.1",
        "Invalid Address",
        "550 5.1.1 The email account that you tried to reach does not exist.",
    ),
    ("bounce", "bounce", "5.2.2", "", "552 5.2.2 The recipient's inbox is out of storage space."),
    ("bounce", "blocked", "5.7.1", "Reputation", "550 5.7.1 This message is likely unsolicited mail."),
    ("dropped", "", "", "", "Unsubscribed Address"),
    ("dropped", "", "", "", "Bounced Address"),
];

/// A run and its recipients.
pub struct Mailing {
    pub run: &'static str,
    pub addresses: Vec<String>,
}

impl Mailing {
    /// Asks for so many recipients; the ledger has them as accepted, but for the last hundred, whom it does not know of.
    pub fn send(site: &Site, run: &'static str, recipients: usize) -> Self {
        let address = |n: usize| format!("person{n}@{}", DOMAINS[n % 37 % DOMAINS.len()]);
        let addresses: Vec<String> = (0..recipients).map(address).collect();
        let keys = Arc::new(KeyRing::from_file(HashMode::HmacSha256, &site.path().join("mailtrail.key")).unwrap());
        let paths = Paths::new(site.path().join("mailtrail.db"));
        let at = (now() - 1_800) * 1_000_000;
        let mut ledger = RunLedger::open(&paths, &RunName::new(run).unwrap(), &keys.identity(), at).unwrap();
        for part in addresses.chunks(200) {
            let request = RequestId::random().unwrap();
            let people = part.iter().map(|one| (keys.email_hash(one), RecipientId::random().unwrap(), 1));
            ledger.claim(request, &["winter-sale".to_owned()], None, people, at).unwrap();
            ledger.sending(request, at).unwrap();
            ledger.ended(request, Ended::Accepted(Some("msg")), at + 2_000_000).unwrap();
        }
        Self { run, addresses }
    }

    /// What became of some of them: processed, and for most of these what came of it.
    pub fn events(&self, some: std::ops::Range<usize>) -> Vec<String> {
        let mut events = Vec::new();
        for n in some {
            let sent = now() - 1_700 + i64::try_from(n % 600).unwrap();
            let event = |name: &str, at: i64, more: serde_json::Value| {
                let mut event = json!({
                    "email": self.addresses[n], "event": name, "timestamp": at, "category": ["winter-sale"],
                    "sg_event_id": format!("{}-{n}-{name}", self.run), "sg_message_id": format!("{}{n}.0", self.run),
                    "mailtrail_run": self.run,
                });
                for (key, value) in more.as_object().unwrap() {
                    event[key] = value.clone();
                }
                event.to_string()
            };
            events.push(event("processed", sent, json!({})));
            let school = self.addresses[n].ends_with("slow-school.example");
            match n % 25 {
                _ if school && n % 4 != 0 => {
                    let response = "451 4.7.1 Greylisted, please try again in 300 seconds";
                    events.push(event("deferred", sent + 9, json!({ "response": response, "attempt": "1" })));
                }
                3 | 11 | 19 => {
                    let (name, kind, status, class, reason) = FAILURES[n % 7 % FAILURES.len()];
                    let mut more = json!({ "reason": reason });
                    for (key, value) in [("type", kind), ("status", status), ("bounce_classification", class)] {
                        if !value.is_empty() {
                            more[key] = json!(value);
                        }
                    }
                    events.push(event(name, sent + 4, more));
                }
                _ => events.push(event("delivered", sent + 3, json!({ "response": "250 2.0.0 OK" }))),
            }
        }
        events
    }
}

/// A run that went to the sandbox.
pub fn sandbox(site: &Site, run: &str) {
    let paths = Paths::new(site.path().join("mailtrail.db"));
    note_sandbox(&paths, &RunName::new(run).unwrap(), (now() - 90_000) * 1_000_000).unwrap();
}
