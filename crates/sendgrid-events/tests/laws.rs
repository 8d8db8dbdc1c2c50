//! Laws that hold for every body.

use proptest::collection::vec;
use proptest::prelude::*;
use sendgrid_events::{Batch, Item};
use serde_json::{Map, Value, json};

#[path = "support/invariants.rs"]
mod invariants;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "event",
            "timestamp",
            "email",
            "sg_event_id",
            "sg_message_id",
            "smtp-id",
            "category",
            "reason",
            "response",
            "status",
            "type",
            "attempt",
            "asm_group_id",
            "url",
            "useragent",
            "ip",
            "sg_machine_open",
            "tls",
            "pool",
            "send_at",
            "newsletter",
            "order_id",
        ])
        .prop_map(str::to_owned),
    ]
}

/// An object that decodes as an event.
fn any_event() -> impl Strategy<Value = Map<String, Value>> {
    let kind = prop::sample::select(vec!["processed", "bounce", "Delivered", "click", "deferred", "one_day_new"]);
    (kind, 1_300_000_000_i64..2_000_000_000, vec((key(), any_json()), 0..8)).prop_map(|(kind, time, members)| {
        let mut object: Map<String, Value> = members.into_iter().collect();
        object.insert("event".into(), json!(kind));
        object.insert("timestamp".into(), json!(time));
        object
    })
}

fn canonical(body: &str) -> Vec<String> {
    let batch = Batch::parse(body.as_bytes());
    batch
        .items
        .iter()
        .map(|item| match item {
            Item::Event(event) => event.canonical().to_owned(),
            Item::Rejected(part) => panic!("{part:?}"),
        })
        .collect()
}

/// The only event of a body.
fn event(members: &str) -> sendgrid_events::Event<'_> {
    match Batch::parse(members.as_bytes()).items.pop() {
        Some(Item::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

fn extra(event: &sendgrid_events::Event<'_>, key: &str) -> Option<String> {
    event.extra.iter().find(|(name, _)| name == key).map(|(_, value)| {
        let mut json = String::new();
        value.write_json(&mut json);
        json
    })
}

#[test]
fn categories_that_are_names_are_kept_beside_what_is_none() {
    for (sent, expected, left_over) in [
        (r#"["news",null]"#, vec!["news"], Some(r#"["news",null]"#)),
        (r#"[7,"a","b"]"#, vec!["a", "b"], Some(r#"[7,"a","b"]"#)),
        (r#"["a"]"#, vec!["a"], None),
        ("[null]", vec![], Some("[null]")),
        ("7", vec![], Some("7")),
    ] {
        let body = format!(r#"{{"event":"open","timestamp":1700000000,"category":{sent}}}"#);
        let event = event(&body);
        assert_eq!(event.category, expected, "{sent}");
        assert_eq!(extra(&event, "category").as_deref(), left_over, "{sent}");
    }
}

#[test]
fn integers_in_another_notation_fill_their_column_and_are_kept_as_sent() {
    for (sent, expected, left_over) in [
        ("12", Some(12), None),
        ("\"12\"", Some(12), None),
        ("12.0", Some(12), Some("12.0")),
        ("1.2e1", Some(12), Some("1.2e1")),
        ("\"-12.00\"", Some(-12), Some("\"-12.00\"")),
        ("12.5", None, Some("12.5")),
        ("1e400", None, Some("1e400")),
        ("1e300", None, Some("1e300")),
        ("\"nan\"", None, Some("\"nan\"")),
    ] {
        let body = format!(r#"{{"event":"deferred","timestamp":1700000000,"attempt":{sent}}}"#);
        let event = event(&body);
        assert_eq!(event.attempt, expected, "{sent}");
        assert_eq!(extra(&event, "attempt").as_deref(), left_over, "{sent}");
    }
}

proptest! {
    #[test]
    fn strings_with_half_pairs_cost_no_event(parts in vec(prop::sample::select(vec![r"\ud800", r"\udfff", r"\ud83d\ude42", r"\n", "a", r"\\"]), 0..6)) {
        let text = parts.concat();
        let body = format!(r#"{{"event":"bounce","timestamp":1700000000,"a":"{text}","b":["{text}"],"{text}":1,"reason":"{text}"}}"#);
        let batch = invariants::checked(body.as_bytes());
        prop_assert!(matches!(batch.items[..], [Item::Event(_)]));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(body in vec(any::<u8>(), 0..400)) {
        invariants::checked(&body);
    }

    #[test]
    fn bytes_that_look_like_a_body_are_read_without_a_panic(body in r#"\[?(\{("[a-z]{0,3}\\?":?[0-9"{}\[\],]{0,4},?){0,4}\},?){0,4}\]?"#) {
        invariants::checked(body.as_bytes());
    }

    #[test]
    fn any_json_is_read_without_a_panic(value in any_json()) {
        invariants::checked(value.to_string().as_bytes());
    }

    #[test]
    fn every_event_is_read_and_every_key_kept(events in vec(any_event(), 0..5)) {
        let body = serde_json::to_string(&events).expect("JSON");
        let batch = invariants::checked(body.as_bytes());
        prop_assert_eq!(batch.items.len(), events.len());
        prop_assert!(batch.items.iter().all(|item| matches!(item, Item::Event(_))));
    }

    #[test]
    fn two_batches_in_one_are_the_events_of_both(one in vec(any_event(), 0..4), two in vec(any_event(), 0..4)) {
        let write = |events: &[Map<String, Value>]| serde_json::to_string(events).expect("JSON");
        let both = write(&[one.clone(), two.clone()].concat());
        let mut expected = canonical(&write(&one));
        expected.extend(canonical(&write(&two)));
        prop_assert_eq!(canonical(&both), expected);
    }

    #[test]
    fn a_bad_element_costs_none_of_its_neighbours(events in vec(any_event(), 0..4), bad in "[a-z:. ]{0,10}") {
        let mut elements: Vec<String> = events.iter().map(|e| serde_json::to_string(e).expect("JSON")).collect();
        elements.insert(elements.len() / 2, format!("{{{bad}x}}"));
        let body = format!("[{}]", elements.join(","));
        let batch = Batch::parse(body.as_bytes());
        let read = batch.items.iter().filter(|item| matches!(item, Item::Event(_))).count();
        prop_assert_eq!((batch.items.len(), read), (events.len() + 1, events.len()));
    }

    #[test]
    fn the_canonical_form_ignores_key_order_white_space_and_event_id(event in any_event(), id in "[A-Za-z0-9]{1,22}") {
        let mut other: Vec<(String, Value)> = event.clone().into_iter().collect();
        other.reverse();
        other.retain(|(key, _)| key != "sg_event_id");
        let members: Vec<String> = other
            .iter()
            .map(|(key, value)| format!("{} :\r\n\t{}", json!(key), serde_json::to_string_pretty(value).expect("JSON")))
            .collect();
        let with_id = format!("\u{feff} {{ \"sg_event_id\":\"{id}\" , {} }}\r\n", members.join(" , "));
        let mut plain = event;
        plain.remove("sg_event_id");
        prop_assert_eq!(canonical(&with_id), canonical(&Value::Object(plain).to_string()));
    }

    #[test]
    fn another_value_is_another_canonical_form(event in any_event(), one: i64, two: i64) {
        prop_assume!(one != two);
        let with = |value: i64| {
            let mut event = event.clone();
            event.insert("order_id".into(), json!(value));
            canonical(&Value::Object(event).to_string())
        };
        prop_assert_ne!(with(one), with(two));
    }
}
