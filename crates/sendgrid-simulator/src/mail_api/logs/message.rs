//! A message as the logs have it.

use serde_json::{Map, Value, json};

use crate::event::Event;
use crate::message::Message;

/// Most events of one message; the newest are kept.
const MOST_EVENTS: usize = 100;

/// One message to one recipient. `Debug` shows no address.
#[derive(Clone)]
pub struct Logged {
    /// Its whole id.
    pub sg_message_id: String,
    /// When that id was made, Unix milliseconds.
    pub created_ms: i64,
    /// The id of the subuser that sent it; `None`: the account itself.
    pub(super) subuser: Option<String>,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) categories: Vec<String>,
    custom_args: Value,
    events: Vec<Event>,
}

impl std::fmt::Debug for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logged({} with {} events)", self.sg_message_id, self.events.len())
    }
}

impl Logged {
    /// From a message and the events that it came to.
    #[must_use]
    pub fn new(message: &Message, subject: &str, created_ms: i64, events: &[Event]) -> Self {
        let args: Map<String, Value> =
            message.custom_args.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        Self {
            sg_message_id: message.sg_message_id().to_owned(),
            created_ms,
            subuser: None,
            to: message.email.clone(),
            subject: subject.to_owned(),
            categories: message.categories.clone(),
            custom_args: Value::Object(args),
            events: events.to_vec(),
        }
    }

    /// The same, sent by a subuser (its numeric id).
    #[must_use]
    pub fn of_subuser(self, id: &str) -> Self {
        Self { subuser: Some(id.to_owned()), ..self }
    }

    /// SendGrid's summary: what the newest telling event says.
    pub(super) fn status(&self) -> &'static str {
        let has = |name: &str| self.events.iter().any(|event| event.name() == name);
        let bounce = self.events.iter().find(|event| event.name() == "bounce");
        match bounce.map(|event| event.text("type") == Some("blocked")) {
            Some(true) => "blocked",
            Some(false) => "bounced",
            None if has("dropped") => "dropped",
            None if has("delivered") || has("open") || has("click") => "delivered",
            None if has("deferred") => "deferred",
            None => "processed",
        }
    }

    pub(super) fn summary(&self) -> Value {
        let created = jiff::Timestamp::from_millisecond(self.created_ms).map(|time| time.to_string());
        let mut told = self.common();
        told.insert("sg_message_id_created_at".to_owned(), json!(created.unwrap_or_default()));
        if let Some(reason) = self.events.iter().find_map(|event| event.text("reason")) {
            told.insert("reason".to_owned(), json!(reason));
        }
        Value::Object(told)
    }

    pub(super) fn details(&self) -> Value {
        let mut told = self.common();
        let skipped = self.events.len().saturating_sub(MOST_EVENTS);
        told.insert("events".to_owned(), self.events.iter().skip(skipped).map(|event| self.event(event)).collect());
        told.insert("category".to_owned(), json!(self.categories));
        told.insert("custom_args".to_owned(), self.custom_args.clone());
        told.insert("api_key_id".to_owned(), json!("bVpQbGZYcGdRZWlq"));
        told.insert("client_ip".to_owned(), json!("203.0.113.5"));
        told.insert("outbound_ip".to_owned(), json!("149.72.123.24"));
        told.insert("outbound_ip_type".to_owned(), json!("dedicated"));
        Value::Object(told)
    }

    fn common(&self) -> Map<String, Value> {
        Map::from_iter([
            ("from_email".to_owned(), json!("news@example.org")),
            ("sg_message_id".to_owned(), json!(self.sg_message_id)),
            ("subject".to_owned(), json!(self.subject)),
            ("to_email".to_owned(), json!(self.to)),
            ("status".to_owned(), json!(self.status())),
        ])
    }

    /// As the webhook tells it, but for custom args, which stand apart, and other names of bounces' classes.
    fn event(&self, event: &Event) -> Value {
        let Ok(Value::Object(mut told)) = serde_json::from_str::<Value>(&event.to_json()) else {
            return Value::Null;
        };
        if let Some(args) = self.custom_args.as_object().filter(|args| !args.is_empty()) {
            told.retain(|key, value| args.get(key) != Some(value));
            told.insert("custom_args".to_owned(), self.custom_args.clone());
        }
        if told.get("bounce_classification").is_some_and(|class| class == "Frequency/Volume") {
            told.insert("bounce_classification".to_owned(), json!("Frequency or Volume Too High"));
        }
        Value::Object(told)
    }
}
