//! One event and a body of them, written as SendGrid writes them: keys sorted, `,\r\n` between elements, `]\r\n` at the
//! end. Signatures are over these bytes, so a receiver that re-serialises before it verifies fails here as it does live.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Most bytes SendGrid puts into one POST.
pub const MAX_POST_BYTES: usize = 768 * 1024;

/// One event. `Debug` shows its type and time only: the rest may hold an address.
#[derive(Clone, PartialEq)]
pub struct Event {
    name: String,
    timestamp: i64,
    // A sorted map of our own: whether serde_json's keeps order depends on features that others switch on.
    fields: BTreeMap<String, Value>,
}

/// What makes two deliveries the same event: the id and the type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// `sg_event_id`
    pub id: String,
    /// `event`
    pub event: String,
}

impl Event {
    /// An event of a type at a time (Unix seconds), without further fields.
    #[must_use]
    pub fn new(name: &str, timestamp: i64) -> Self {
        let fields = BTreeMap::from([("event".into(), name.into()), ("timestamp".into(), timestamp.into())]);
        Self { name: name.to_owned(), timestamp, fields }
    }

    /// With a field more, or another value for it. `event` and `timestamp` are fixed by [`new`](Self::new).
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        debug_assert!(key != "event" && key != "timestamp", "fixed by new");
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// The same at another time.
    #[must_use]
    pub fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self.fields.insert("timestamp".to_owned(), timestamp.into());
        self
    }

    /// `event`
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `timestamp`, Unix seconds.
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// A field as text, where it is text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key).and_then(Value::as_str)
    }

    /// What a receiver must recognise this event by.
    #[must_use]
    pub fn key(&self) -> EventKey {
        EventKey { id: self.text("sg_event_id").unwrap_or_default().to_owned(), event: self.name.clone() }
    }

    /// This event as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A map with text keys always serialises.
        serde_json::to_string(&self.fields).unwrap_or_default()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} at {})", self.name, self.timestamp)
    }
}

/// The body of one POST.
#[must_use]
pub fn body<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<u8> {
    let lines: Vec<String> = events.into_iter().map(Event::to_json).collect();
    format!("[{}]\r\n", lines.join(",\r\n")).into_bytes()
}

/// Bytes that a body has beside its elements: the brackets and what follows them, then two bytes and a comma between.
pub(crate) const BODY_FRAME: usize = "[]\r\n".len();
pub(crate) const BODY_SEPARATOR: usize = ",\r\n".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_written_as_live_ones() {
        let first = Event::new("open", 1_700_000_000).with("ip", "192.0.2.1").with("email", "a<b@example.com");
        let second = Event::new("click", 1_700_000_001);
        assert_eq!(
            String::from_utf8(body([&first, &second])).expect("UTF-8"),
            "[{\"email\":\"a<b@example.com\",\"event\":\"open\",\"ip\":\"192.0.2.1\",\"timestamp\":1700000000},\r\n\
             {\"event\":\"click\",\"timestamp\":1700000001}]\r\n"
        );
        assert_eq!(body([]), b"[]\r\n");
        assert_eq!(format!("{first:?}"), "Event(open at 1700000000)");
    }
}
