//! Events of the logs in the shape that the webhook has.

use serde_json::{Map, Value};

use super::logs::Details;

/// Tells of a request, not of a message: the webhook never has it, and it carries the client's address.
const RECEIVED: &str = "received";

/// Each event as a line of JSON: custom args merged into the top level, where SendGrid's own keys win, and the message's
/// categories where the event has none.
pub(super) fn events(details: Details) -> Vec<String> {
    let Details { events, category, custom_args } = details;
    let of_message = events.into_iter().filter(|event| event.get("event").is_none_or(|name| name != RECEIVED));
    of_message.map(|event| Value::Object(shaped(event, &category, &custom_args)).to_string()).collect()
}

fn shaped(mut event: Map<String, Value>, category: &[String], args: &Map<String, Value>) -> Map<String, Value> {
    event.remove("subject");
    let own = match event.remove("custom_args") {
        Some(Value::Object(own)) => own,
        _ => args.clone(),
    };
    if !category.is_empty() && !event.contains_key("category") {
        event.insert("category".to_owned(), category.into());
    }
    for (key, value) in own {
        event.entry(key).or_insert(value);
    }
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn custom_args_are_merged_and_what_is_no_events_is_left_out() {
        let details = serde_json::from_value::<Details>(json!({
            "subject": "Secret", "from_email": "a@example.org", "category": ["news"], "custom_args": {"order": "7"},
            "events": [
                {"event": "delivered", "timestamp": 1, "custom_args": {"order": "8", "event": "mine"}, "subject": "Secret"},
                {"event": "open", "timestamp": 2, "category": ["own"]},
                {"event": "received", "timestamp": 0, "client_ip": "192.0.2.1"},
            ],
        }));
        let lines = events(details.unwrap_or_else(|error| panic!("{error}")));
        let told: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(
            told,
            [
                json!({"event": "delivered", "timestamp": 1, "order": "8", "category": ["news"]}),
                json!({"event": "open", "timestamp": 2, "order": "7", "category": ["own"]}),
            ]
        );
    }
}
