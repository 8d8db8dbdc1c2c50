use super::*;

fn read(json: &str) -> Result<StoredEvent, Fault> {
    of_object(json.as_bytes(), &mut Unknown::default())
}

#[test]
fn rows_of_every_spelling_are_read() {
    let mut unknown = Unknown::default();
    let row = of_object(
        br#"{"Event":"open","TIMESTAMP":"2023-11-14 22:13:20 UTC","category":"news","attempt":"x","tls":1,"smtp-id":"<a>",
            "customer name":"Jane","jane@example.com":1,"id":7,"mail_status":null,"reason":"","extra":{"a":[1.0]}}"#,
        &mut unknown,
    )
    .unwrap();
    assert_eq!((row.event.as_str(), row.timestamp), ("open", 1_700_000_000_000_000));
    assert_eq!((row.category, row.tls, row.attempt), (vec!["news".to_owned()], Some(true), None));
    assert_eq!(row.left_over, [("attempt".to_owned(), "x".to_owned())]);
    assert_eq!((row.smtp_id.as_deref(), row.reason.as_deref()), (Some("<a>"), Some("")));
    assert_eq!(row.extra.as_deref(), Some(r#"{"a":[1.0]}"#));
    assert_eq!(unknown.names().collect::<Vec<_>>(), ["[address]", "customer name"]);
    for (category, expected) in
        [(r#"["a","b"]"#, vec!["a", "b"]), (r#""[\"a\",\"b\"]""#, vec!["a", "b"]), (r#""""#, vec![])]
    {
        let row = read(&format!(r#"{{"event":"open","timestamp":1700000000,"category":{category}}}"#)).unwrap();
        assert_eq!(row.category, expected);
    }
}

#[test]
fn every_column_is_known_by_its_name() {
    for name in crate::show::record::COLUMNS {
        assert_eq!(is_column(name), !DERIVED.contains(&name), "{name}");
    }
    assert!(is_column("Smtp-Id") && !is_column("customer"));
    // A name that is said to be a column is taken as one.
    let mut unknown = Unknown::default();
    for name in OTHERS {
        let _read = of_cells([(name, Cell::Text("x".into()))].into_iter(), &mut unknown);
    }
    assert_eq!(unknown.names().count(), 0);
    let unreadable: Vec<&str> = unknown.unreadable().map(|(column, _)| column).collect();
    assert_eq!(unreadable, ["event_key", "fingerprint", "received_at", "timestamp"]);
}

#[test]
fn what_is_no_event_says_why() {
    for (json, fault) in [
        ("{\"event\":\"open\"", Fault::Malformed),
        ("[]", Fault::Malformed),
        (r#"{"event":"open"}"#, Fault::NoTimestamp),
        (r#"{"event":"open","timestamp":"2023-11-14T22:13:20"}"#, Fault::BadTimestamp),
        (r#"{"event":"open","timestamp":"2h"}"#, Fault::BadTimestamp),
        (r#"{"event":"open","timestamp":17}"#, Fault::BadTimestamp),
        (r#"{"event":" ","timestamp":1700000000}"#, Fault::NoEvent),
        (r#"{"event":"open","timestamp":1700000000,"event_key":"12"}"#, Fault::BadKey),
        (r#"{"event":"open","timestamp":1700000000,"event_key":"ｇ0000000000000000000000000000000"}"#, Fault::BadKey),
    ] {
        assert_eq!(read(json).err(), Some(fault), "{json}");
    }
}

#[test]
fn rows_are_told_from_posted_events() {
    for (json, expected) in [
        (r#"{"event":"open","timestamp":1700000000,"email":"a@b.example"}"#, false),
        (
            r#"{"event":"open","timestamp":"1700000000","email":"a@b.example","email_hash":"x","sg_message_id":"m"}"#,
            false,
        ),
        (r#"{"event":"open","timestamp":1700000000,"email_hash":"x"}"#, true),
        (r#"{"event":"open","timestamp":"2023-11-14T22:13:20Z","email":"a@b.example"}"#, true),
        (r#"{"event":"open","timestamp":1700000000,"event_key":"x"}"#, true),
    ] {
        assert_eq!(is_row(&batch::object(json.as_bytes()).unwrap()), expected, "{json}");
    }
}
