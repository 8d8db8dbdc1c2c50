use proptest::prelude::*;

use super::*;
use crate::config::{HashMode, Privacy};
use crate::protect::key_file::KeyFile;
use crate::protect::{KeyRing, normalise};
use crate::receive::Authentic;
use sendgrid_events::Items;
use std::sync::Arc;

const NOW: i64 = 1_790_000_000_000_000;

fn keys(seed: u8) -> Arc<KeyRing> {
    let file = KeyFile { hash: vec![seed; 32], dedupe: vec![seed + 1; 32], seal: vec![3; 32] };
    Arc::new(KeyRing::new(HashMode::HmacSha256, &file))
}

fn protector(seed: u8) -> Protector {
    let privacy = Privacy { drop_custom_args: vec!["secret".to_owned()], ..Privacy::default() };
    Protector::new(keys(seed), &privacy)
}

fn by_webhook(protector: &Protector, body: &str) -> EventRow<String> {
    let post = Authentic::from_quarantine(body.as_bytes().to_vec(), VerifiedBy::Basic, 7);
    protector.protect(Items::of(body.as_bytes()), &post).rows().events[0].clone()
}

/// As an export has it.
fn stored(row: &EventRow<String>, key_id: &str) -> StoredEvent {
    let row = row.clone();
    StoredEvent {
        event: row.event,
        timestamp: row.timestamp,
        sg_event_id: row.sg_event_id,
        email: None,
        email_hash: row.address.as_ref().map(|row| EmailHash::from_bytes(row.email_hash).to_string()),
        email_domain: row.address.as_ref().and_then(|row| row.email_domain.clone()),
        sg_message_id: row.sg_message_id,
        message_id: row.message_id,
        smtp_id: row.smtp_id,
        category: row.category,
        reason: row.reason,
        response: row.response,
        status: row.status,
        r#type: row.r#type,
        bounce_classification: row.bounce_classification,
        attempt: row.attempt,
        asm_group_id: row.asm_group_id,
        url: row.url,
        useragent: row.useragent,
        ip: row.ip,
        sg_machine_open: row.sg_machine_open,
        tls: row.tls,
        run: row.run,
        recipient: row.recipient,
        request: row.request,
        custom_args: row.custom_args,
        extra: row.extra,
        left_over: Vec::new(),
        received_at: Some(7),
        verified_by: Some("0123456789abcdef".to_owned()),
        key_id: row.address.is_some().then(|| key_id.to_owned()),
        event_key: Some(row.event_key),
        fingerprint: Some(row.fingerprint),
    }
}

fn imported(protector: &Protector, stored: &StoredEvent) -> Imported {
    let recipient = stored.email_hash.as_deref().and_then(EmailHash::parse).map(|hash| Recipient {
        hash,
        key_id: protector.keys.key_id().to_owned(),
        address: None,
    });
    protector.import(stored, recipient.as_ref(), Vouching::Import, NOW)
}

/// Addresses and other text, with nothing left of an address beside one: of half addresses, redacting again takes more.
fn text() -> impl Strategy<Value = String> {
    let plain = |text: String| text.replace(['@', '＠', '%', '&', '='], "_");
    let word = prop_oneof![
        Just("jane.doe@example.com".to_owned()),
        Just("other+x@sub.example.org".to_owned()),
        Just("jane.doe".to_owned()),
        Just("jane%40example.com".to_owned()),
        Just("[address]".to_owned()),
        "[ -~]{0,12}".prop_map(plain),
        any::<String>().prop_map(plain),
    ];
    prop::collection::vec(word, 0..4).prop_map(|words| words.join(" "))
}

proptest! {
    /// An event's row, exported and imported into a trail of the same keys, is the row that it was.
    #[test]
    fn a_row_comes_back_as_it_was(
        name in prop::sample::select(vec!["bounce", "click", "delivered", "deferred", "dropped", "jane.doe@example.com"]),
        id in prop::option::of(text()),
        texts in prop::collection::vec(text(), 6),
        email in prop::option::of(Just("Jane.Doe@example.com")),
    ) {
        let [reason, url, smtp, arg, category, key] = &texts[..] else { unreachable!() };
        let body = serde_json::json!([{
            "event": name, "timestamp": 1_700_000_000, "email": email, "sg_event_id": id, "sg_message_id": key,
            "reason": reason, "response": arg, "url": format!("https://x.example/{url}?{url}={url}"), "smtp-id": smtp, "ip": "203.0.113.9",
            "useragent": arg, "category": [category, "news"], "secret": arg, key: {"deep": [arg, 1.50]}, "customer": arg, "attempt": key,
            "status": category, "mailtrail_run": category, "type": 7, "send_at": arg,
        }]);
        let protector = protector(1);
        let row = by_webhook(&protector, &body.to_string());
        let back = imported(&protector, &stored(&row, protector.keys.key_id()));
        prop_assert_eq!(back.verified_by.as_deref(), Some("import"), "no file proves that SendGrid said it");
        prop_assert_eq!(back.received_at, 7);
        let differs = back.row != row;
        prop_assert!(!differs, "{:?}\n{:?}", serde_json::to_string(&back.row), serde_json::to_string(&row));
    }

    /// With other keys: neither key nor fingerprint is believed, but the same row has the same ones each time.
    #[test]
    fn digests_of_other_keys_are_not_taken(id in prop::option::of("[a-z]{1,8}")) {
        let (there, here) = (protector(1), protector(5));
        let body = serde_json::json!([{"event": "open", "timestamp": 1_700_000_000, "email": "jane@example.com", "sg_event_id": id}]);
        let row = by_webhook(&there, &body.to_string());
        let stored = stored(&row, there.keys.key_id());
        let (one, two) = (imported(&here, &stored), imported(&here, &stored));
        prop_assert_eq!(one.place(), two.place());
        prop_assert_ne!(one.row.fingerprint, row.fingerprint);
        let by_webhook_here = by_webhook(&here, &body.to_string());
        prop_assert_eq!(one.row.event_key == by_webhook_here.event_key, id.is_some(), "an id tells it anywhere");
    }
}

#[test]
fn a_table_of_ids_times_and_reasons_is_enough_to_know_the_webhook_s_repetition() {
    let protector = protector(1);
    let event = StoredEvent {
        event: " Bounce".to_owned(),
        timestamp: 1_700_000_000_000_000,
        sg_event_id: Some("id-1".to_owned()),
        category: vec!["news".to_owned()],
        reason: Some("550 <jane.doe@example.com> is not jane.doe".to_owned()),
        email_domain: Some("jane.doe@Example.com".to_owned()),
        ..StoredEvent::default()
    };
    let address = " Jane.Doe@example.com";
    let recipient = Recipient {
        hash: protector.keys.email_hash(address),
        key_id: protector.keys.key_id().to_owned(),
        address: Some(address),
    };
    let imported = protector.import(&event, Some(&recipient), Vouching::Import, NOW);
    let body = r#"[{"event":"bounce","timestamp":1700000000,"sg_event_id":"id-1","email":"jane.doe@example.com","type":"bounce"}]"#;
    assert_eq!(imported.place().1, by_webhook(&protector, body).event_key);
    assert_eq!(
        imported.row.reason.as_deref(),
        Some("550 <[address]> is not [address]"),
        "whoever is known is redacted closely"
    );
    let address = imported.row.address.unwrap();
    assert_eq!((address.email_domain.as_deref(), address.email), (Some("example.com"), None));
    assert_eq!(
        EmailHash::from_bytes(address.email_hash),
        protector.keys.email_hash(&normalise(" Jane.Doe@example.com"))
    );
    assert_eq!((imported.verified_by.as_deref(), imported.received_at), (Some("import"), NOW));
}

#[test]
fn no_file_proves_more_than_it_can() {
    let of = |said: Option<&str>, ours: bool| StoredEvent {
        verified_by: said.map(str::to_owned),
        event_key: ours.then_some([1; 16]),
        ..StoredEvent::default()
    };
    for (said, ours, import, as_stored) in [
        (Some("0123456789abcdef"), true, Some("import"), Some("0123456789abcdef")),
        (Some("api"), true, Some("import"), Some("api")),
        (Some("basic"), true, Some("import"), Some("basic")),
        (Some("test"), true, Some("test"), Some("test")),
        (Some("import"), true, Some("import"), Some("import")),
        (Some("root"), true, Some("import"), Some("import")),
        (None, true, None, None),
        (None, false, Some("import"), Some("import")),
    ] {
        assert_eq!(verified_by(&of(said, ours), Vouching::Import).as_deref(), import, "{said:?}");
        assert_eq!(verified_by(&of(said, ours), Vouching::AsStored).as_deref(), as_stored, "{said:?}");
    }
}
