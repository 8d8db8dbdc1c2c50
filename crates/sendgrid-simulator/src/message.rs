//! One message to one recipient, and the events SendGrid tells about it, each with the fields and id that live events of
//! its type carry (Event reference, and published captures of 2021 to 2025).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::event::Event;
use crate::random::Random;
use crate::remote::{self, Answer};

/// The account that sends; part of the ids of delivery events.
const USER_ID: u64 = 51_335_520;
const ASM_GROUP: i64 = 4711;
const SENDING_IPS: &[&str] = &["149.72.123.24", "167.89.101.76", "168.245.12.9"];
const READER_IPS: &[&str] = &["203.0.113.77", "198.51.100.23", "2001:db8:85a3::8a2e:370:7334"];
const USER_AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// One message to one recipient.
#[derive(Clone)]
pub struct Message {
    /// `X-Message-Id` of the request: 22 characters, base64url of 16 bytes.
    pub message_id: String,
    /// The recipient.
    pub email: String,
    /// `category`, sent as a list.
    pub categories: Vec<String>,
    /// Custom args, merged into the top level of each event but of late bounces.
    pub custom_args: Vec<(String, String)>,
    sg_message_id: String,
    smtp_id: String,
    index: usize,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({})", self.message_id)
    }
}

impl Message {
    /// A message to `email`, accepted by SendGrid at `at` (Unix seconds).
    #[must_use]
    pub fn new(random: &mut Random, email: &str, at: i64) -> Self {
        let message_id = URL_SAFE_NO_PAD.encode(random.sixteen());
        Self::of_request(&message_id, 0, random, email, at)
    }

    /// The message to the `index`-th recipient (from 0) of the request that was answered with `message_id`.
    #[must_use]
    pub fn of_request(message_id: &str, index: usize, random: &mut Random, email: &str, at: i64) -> Self {
        let pod = 1 + random.below(40);
        let sg_message_id = format!("{message_id}.recvd-786d47b7ff-42mlq-1-{at:X}-{:X}.{index}", random.below(256));
        let smtp_id = format!("<{message_id}@geopod-ismtpd-{pod}>");
        Self {
            message_id: message_id.to_owned(),
            email: email.to_owned(),
            categories: Vec::new(),
            custom_args: Vec::new(),
            sg_message_id,
            smtp_id,
            index,
        }
    }

    /// The id that its events carry.
    #[must_use]
    pub fn sg_message_id(&self) -> &str {
        &self.sg_message_id
    }

    /// A sample of any of [`EVENT_NAMES`](sendgrid_events::EVENT_NAMES); any other name gives an event of that name with the fields all share.
    #[must_use]
    pub fn event(&self, name: &str, at: i64, random: &mut Random) -> Event {
        match name {
            "processed" => self.processed(at),
            "deferred" => self.deferred(at, 0, random),
            "delivered" => self.delivered(at, 0, random),
            "bounce" => self.bounce(at, random),
            "dropped" => self.dropped(at, random),
            "open" => self.open(at, random.chance(0.3), random),
            "click" => self.click(at, random),
            "unsubscribe" => self.engagement("unsubscribe", at, random),
            "group_unsubscribe" | "group_resubscribe" => self
                .reader(name, at, random)
                .with("asm_group_id", ASM_GROUP)
                .with("url", "https://example.org/asm/?user=51335520&data=dGVzdA"),
            "account_status_change" => account_status_change(at, random),
            other => self.engagement(other, at, random),
        }
    }

    /// SendGrid took it and will send it.
    #[must_use]
    pub fn processed(&self, at: i64) -> Event {
        self.sending("processed", "processed", at).with("send_at", 0)
    }

    /// The remote server asked to come back later; `attempt` counts from zero.
    #[must_use]
    pub fn deferred(&self, at: i64, attempt: u32, random: &mut Random) -> Event {
        let domain = self.email.rsplit('@').next().unwrap_or_default();
        self.sending("deferred", &format!("deferred-{attempt}"), at)
            .with("attempt", attempt.to_string())
            .with("domain", domain)
            .with("from", "news@example.org")
            .with("response", remote::deferred(random, &self.email).text)
    }

    /// The remote server took it.
    #[must_use]
    pub fn delivered(&self, at: i64, attempt: u32, random: &mut Random) -> Event {
        self.sending("delivered", &format!("delivered-{attempt}"), at)
            .with("ip", *random.pick(SENDING_IPS))
            .with("response", remote::delivered(random, &self.email))
            .with("tls", 1)
    }

    /// The remote server refused the address for good.
    #[must_use]
    pub fn bounce(&self, at: i64, random: &mut Random) -> Event {
        let answer = remote::bounce(random, &self.email);
        self.refused(at, "bounce", answer, random)
    }

    /// The remote server refused the message: on the wire a bounce of type `blocked`.
    #[must_use]
    pub fn blocked(&self, at: i64, random: &mut Random) -> Event {
        let answer = remote::blocked(random, &self.email);
        self.refused(at, "blocked", answer, random)
    }

    fn refused(&self, at: i64, kind: &str, answer: Answer, random: &mut Random) -> Event {
        self.sending("bounce", "bounce-0", at)
            .with("bounce_classification", answer.classification)
            .with("ip", *random.pick(SENDING_IPS))
            .with("reason", answer.text)
            .with("status", answer.status)
            .with("tls", 1)
            .with("type", kind)
    }

    /// A bounce that arrives after the remote server had taken the mail: without message id, category and custom args.
    #[must_use]
    pub fn late_bounce(&self, at: i64, random: &mut Random) -> Event {
        let answer = remote::late_bounce(random, &self.email);
        Event::new("bounce", at)
            .with("email", self.email.as_str())
            .with("sg_event_id", URL_SAFE_NO_PAD.encode(random.sixteen()))
            .with("bounce_classification", answer.classification)
            .with("reason", answer.text)
            .with("status", answer.status)
            .with("type", "bounce")
    }

    /// SendGrid did not try, for a reason of its own.
    #[must_use]
    pub fn dropped(&self, at: i64, random: &mut Random) -> Event {
        let answer = remote::dropped(random, &self.email);
        self.sending("dropped", "drop", at).with("reason", answer.text).with("status", answer.status)
    }

    /// The picture in it was fetched, by a person or by their mail provider's machine.
    #[must_use]
    pub fn open(&self, at: i64, by_machine: bool, random: &mut Random) -> Event {
        let event = self.reader("open", at, random).with("sg_content_type", "html");
        // False is mostly left out on the wire.
        if by_machine { event.with("sg_machine_open", true).with("useragent", "Mozilla/5.0") } else { event }
    }

    /// A link in it was followed.
    #[must_use]
    pub fn click(&self, at: i64, random: &mut Random) -> Event {
        let page = random.below(100);
        self.reader("click", at, random)
            .with("url", format!("https://www.example.org/offers/{page}?token={:016x}", random.bits()))
            .with("url_offset", json!({"index": random.below(8), "type": "html"}))
    }

    /// `kind`: how the id of the event begins.
    fn sending(&self, name: &str, kind: &str, at: i64) -> Event {
        let id = format!("{kind}-{USER_ID}-{}-{}", self.message_id, self.index);
        self.common(name, at).with("sg_event_id", URL_SAFE_NO_PAD.encode(id)).with("smtp-id", self.smtp_id.as_str())
    }

    fn engagement(&self, name: &str, at: i64, random: &mut Random) -> Event {
        self.common(name, at).with("sg_event_id", URL_SAFE_NO_PAD.encode(random.sixteen()))
    }

    fn reader(&self, name: &str, at: i64, random: &mut Random) -> Event {
        self.engagement(name, at, random)
            .with("ip", *random.pick(READER_IPS))
            .with("useragent", *random.pick(USER_AGENTS))
    }

    fn common(&self, name: &str, at: i64) -> Event {
        let mut event =
            Event::new(name, at).with("email", self.email.as_str()).with("sg_message_id", self.sg_message_id.as_str());
        if !self.categories.is_empty() {
            event = event.with("category", Value::from(self.categories.clone()));
        }
        for (key, value) in &self.custom_args {
            // SendGrid keeps its own value where a custom arg has a reserved name.
            if event.text(key).is_none() && key != "event" && key != "timestamp" {
                event = event.with(key, value.as_str());
            }
        }
        event
    }
}

fn account_status_change(at: i64, random: &mut Random) -> Event {
    // A subuser of its own each time: the id is made of user and time alone.
    let user = USER_ID + random.below(1_000_000_000);
    Event::new("account_status_change", at)
        .with("sg_event_id", URL_SAFE_NO_PAD.encode(format!("{user}-terminate-{at}")))
        .with("type", *random.pick(&["compliance_suspend", "compliance_deactivate", "compliance_ban", "reactivate"]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sendgrid_events::{Batch, Item};

    use sendgrid_events::EVENT_NAMES;

    use super::*;
    use crate::event;

    const AT: i64 = 1_700_000_000;

    fn message(random: &mut Random) -> Message {
        let mut message = Message::new(random, "jane.doe@example.com", AT);
        message.categories = vec!["cat facts".to_owned()];
        message.custom_args = vec![("order_id".to_owned(), "7".to_owned()), ("type".to_owned(), "email".to_owned())];
        message
    }

    #[test]
    fn each_sample_is_read_back_as_what_it_is() {
        let mut random = Random::new(1);
        for name in EVENT_NAMES.into_iter().chain(["received", "Something New"]) {
            let sent = message(&mut random).event(name, AT, &mut random);
            let body = event::body([&sent]);
            let batch = Batch::parse(&body);
            let [Item::Event(read)] = batch.items.as_slice() else { panic!("{name}: {batch:?}") };
            assert_eq!(read.event, name.to_lowercase(), "{name}");
            assert_eq!(read.timestamp.as_micros(), AT * 1_000_000, "{name}");
            assert_eq!(read.email.is_some(), name != "account_status_change", "{name}");
            assert_eq!(read.sg_event_id.as_deref(), Some(sent.key().id.as_str()), "{name}");
            if name == "account_status_change" {
                continue;
            }
            assert_eq!(read.category, ["cat facts"], "{name}");
            assert!(read.custom_args.iter().any(|(key, _)| key == "order_id"), "{name}");
            // A custom arg loses against SendGrid's own key of that name, and only there.
            let own = name == "bounce";
            assert_eq!(read.r#type.as_deref() == Some("bounce"), own, "{name}");
        }
    }

    #[test]
    fn values_have_the_types_of_live_traffic_not_of_the_documentation() {
        let mut random = Random::new(2);
        let message = message(&mut random);
        let deferred = message.event("deferred", AT, &mut random).to_json();
        assert!(deferred.contains("\"attempt\":\"0\""), "{deferred}");
        let delivered = message.event("delivered", AT, &mut random).to_json();
        assert!(delivered.contains("\"tls\":1"), "{delivered}");
        let click = message.event("click", AT, &mut random).to_json();
        assert!(click.contains("\"url_offset\":{\"index\":"), "{click}");
    }

    #[test]
    fn ids_of_delivery_events_spell_message_and_attempt() {
        let mut random = Random::new(3);
        let message = message(&mut random);
        let decoded = |event: &Event| {
            let id = URL_SAFE_NO_PAD.decode(event.key().id).expect("base64url without padding");
            String::from_utf8(id).expect("text")
        };
        let id = &message.message_id;
        assert_eq!(id.len(), 22);
        assert_eq!(decoded(&message.processed(AT)), format!("processed-{USER_ID}-{id}-0"));
        assert_eq!(decoded(&message.delivered(AT, 2, &mut random)), format!("delivered-2-{USER_ID}-{id}-0"));
        assert_eq!(decoded(&message.dropped(AT, &mut random)), format!("drop-{USER_ID}-{id}-0"));
        let sent = message.processed(AT);
        assert_eq!(
            sendgrid_events::MessageId::from_sg_message_id(sent.text("sg_message_id").expect("has one"))
                .map(|id| id.as_str().to_owned()),
            Some(id.clone())
        );
    }

    #[test]
    fn a_late_bounce_brings_nothing_to_correlate_it_by() {
        let mut random = Random::new(4);
        let bounce = message(&mut random).late_bounce(AT, &mut random);
        for absent in ["sg_message_id", "smtp-id", "category", "order_id", "ip"] {
            assert!(!bounce.to_json().contains(&format!("\"{absent}\"")), "{absent}");
        }
    }

    #[test]
    fn ids_do_not_repeat() {
        let mut random = Random::new(5);
        let mut ids = BTreeSet::new();
        for _ in 0..200 {
            let message = message(&mut random);
            for name in EVENT_NAMES {
                assert!(ids.insert(message.event(name, AT, &mut random).key()), "{name}");
            }
        }
    }
}
