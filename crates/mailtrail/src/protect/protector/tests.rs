use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::{Digest, Md5};
use proptest::prelude::*;

use super::*;
use crate::config::HashMode;
use crate::protect::key_file::KeyFile;
use crate::receive::VerifiedBy;

fn keys() -> Arc<KeyRing> {
    let file = KeyFile { hash: vec![1; 32], dedupe: vec![2; 32], seal: vec![3; 32] };
    Arc::new(KeyRing::new(HashMode::HmacSha256, &file))
}

fn privacy() -> Privacy {
    Privacy { drop_custom_args: vec!["secret".to_owned()], ..Privacy::default() }
}

fn protected(body: &str, privacy: &Privacy) -> ProtectedBatch {
    let post = Authentic::from_quarantine(body.as_bytes().to_vec(), VerifiedBy::Basic, 7);
    Protector::new(keys(), privacy).protect(Items::of(body.as_bytes()), &post)
}

fn row(body: &str) -> EventRow<String> {
    protected(body, &privacy()).rows().events[0].clone()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Published in docs/email-hash.md; a change of any of these would orphan every trail.
#[test]
fn hashes_and_keys_are_what_was_published() {
    let keys = keys();
    assert_eq!(
        keys.email_hash(" Jane.Doe@Example.COM ").to_string(),
        "aa55b4844ffd9f4e4d54acfed124c27e6586cd27eee42cb56d8fd03393502d5d"
    );
    let file = KeyFile { hash: vec![1; 32], dedupe: vec![2; 32], seal: vec![3; 32] };
    let plain = KeyRing::new(HashMode::Sha256, &file);
    assert_eq!(
        plain.email_hash("Jane.Doe@example.com").to_string(),
        "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"
    );
    for spelling in ["Da..me@Docomo.ne.jp", " \"da..me\"@docomo.ne.jp"] {
        assert_eq!(
            keys.email_hash(spelling).to_string(),
            "3a2fe758a50681542594efbab85e6f4e18d649ef253fe949a9a7637bc7362537"
        );
        assert_eq!(
            plain.email_hash(spelling).to_string(),
            "86715fed94e2bd1f48ee897b2833a065c8313fabfa751326f9bb0ac347bcd835"
        );
        let [current, of_earlier_versions] = keys.lookup_hashes(spelling)[..] else { panic!("two") };
        assert_eq!(current, keys.email_hash(spelling));
        assert_eq!(
            of_earlier_versions.to_string(),
            "4a64ee41c39644a6728dc9fe5f956b5e2141af75dc9af3a7b28fc177e6a88eb3",
            "HMAC of the quoted spelling"
        );
    }
    let event = row(
        "{\"email\":\"jane.doe@example.com\",\"event\":\"open\",\"sg_event_id\":\" id-1 \",\"timestamp\":1700000000}",
    );
    assert_eq!(hex(&event.event_key), "276ca8d3115dc468080c1a32b7942681");
    assert_eq!(hex(&event.fingerprint), "f12692e7b43c8d6937cfb86fd2bf7c14");
    assert_eq!(
        [keys.key_id(), keys.dedupe_check(), keys.seal_key_id()],
        ["048cb3e6bb8add5f", "a95422e70c7929c4", "66955da20a45e5af"]
    );
}

#[test]
fn without_a_usable_id_the_key_is_the_fingerprint() {
    for id in ["", "\"sg_event_id\":\"\",", "\"sg_event_id\":\" \",", "\"sg_event_id\":7,"] {
        let event = row(&format!("{{{id}\"event\":\"open\",\"timestamp\":1700000000}}"));
        assert_eq!(event.event_key, event.fingerprint, "{id}");
    }
    let one = row("{\"sg_event_id\":\"a\",\"event\":\"open\",\"timestamp\":1700000000,\"x\":1}");
    let other = row("{\"sg_event_id\":\"b\",\"event\":\"open\",\"x\":1,\"timestamp\":1700000000}");
    assert_eq!(one.fingerprint, other.fingerprint, "a repeat under another id");
    assert_ne!(one.event_key, other.event_key);
}

#[test]
fn columns_take_what_is_theirs_and_every_key_is_found_again() {
    let event = row(
        "{\"email\":\"jane@example.com\",\"event\":\"Click\",\"timestamp\":1700000000,\"sg_message_id\":\"abc.recvd-1.0\",\
         \"mailtrail_run\":\"jane\",\"mailtrail_recipient\":\"r1\",\"mailtrail_request\":5,\"secret\":\"s3cret\",\
         \"owner\":\"other@example.org\",\"url\":\"https://x.example/?t=1\",\"url\":\"https://y.example/?t=2\",\
         \"ip\":\"not an ip\",\"useragent\":\"Mozilla\",\"attempt\":\"3\",\"tls\":{\"odd\":1}}",
    );
    assert_eq!(event.event, "click");
    assert_eq!((event.run.as_deref(), event.recipient.as_deref(), event.request), (Some("jane"), Some("r1"), None));
    assert_eq!(event.message_id.as_deref(), Some("abc"));
    assert_eq!(event.url.as_deref(), Some("https://x.example/?t=…"));
    let args: serde_json::Value = serde_json::from_str(event.custom_args.as_deref().unwrap()).unwrap();
    assert_eq!(args["mailtrail_request"], 5);
    assert_eq!(args["secret"], "[dropped]");
    assert_eq!(args["owner"], format!("[email:{}]", keys().email_hash("other@example.org")));
    assert_eq!(args["attempt"], "3", "no key of SendGrid's on a click");
    let extra: serde_json::Value = serde_json::from_str(event.extra.as_deref().unwrap()).unwrap();
    assert_eq!(extra["url"], "[dropped]", "a second URL is no way around the policy");
    assert_eq!(extra["ip"], "[dropped]");
    let address = event.address.unwrap();
    assert_eq!(address.email_domain.as_deref(), Some("example.com"));
    assert_eq!(address.email, None);
}

#[test]
fn what_the_configuration_asks_for() {
    let body = "{\"email\":\" Jane@Example.com\",\"event\":\"open\",\"timestamp\":1700000000,\"ip\":\"203.0.113.9\",\"useragent\":\"M\"}";
    let asked =
        Privacy { keep_address: true, email_domain: false, useragent: Presence::Drop, ip: IpPolicy::Keep, ..privacy() };
    let batch = protected(body, &asked);
    let event = &batch.rows().events[0];
    let address = event.address.as_ref().unwrap();
    assert_eq!((address.email.as_deref(), address.email_domain.as_deref()), (Some("Jane@Example.com"), None));
    assert_eq!((event.useragent.as_deref(), event.ip.as_deref()), (None, Some("203.0.113.9")));
    assert!(!format!("{batch:?}{event:?}").contains("Jane"), "a log gets no content");

    let blank = row("{\"email\":\" \",\"event\":\"open\",\"timestamp\":1700000000}");
    assert!(blank.address.is_none());
    assert_eq!(blank.extra.as_deref(), Some("{\"email\":\" \"}"));
    let sample = row(
        "{\"event\":\"open\",\"timestamp\":1700000000,\"sg_message_id\":\"14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0\"}",
    );
    assert!(sample.sample && !blank.sample);
}

#[test]
fn a_lone_surrogate_costs_its_own_value_alone() {
    let body = r#"{"email":"jane.doe@example.com","event":"bounce","sg_event_id":"a","timestamp":1700000000,"reason":"550 no",
        "order":"7","name":"J\ud800","deep":{"list":[1,"\udc00x"]},"secret":"\ud800","mailtrail_run":"r"}"#;
    let rows = protected(body, &privacy()).rows();
    let (event, sealed) = (&rows.events[0], &rows.sealed);
    assert_eq!(
        (event.event.as_str(), event.reason.as_deref(), event.run.as_deref()),
        ("bounce", Some("550 no"), Some("r"))
    );
    assert_eq!(sealed.iter().map(|sealed| sealed.why.as_str()).collect::<Vec<_>>(), ["lone_surrogate"]);
    let marker = format!("[sealed:{}]", hex(&sealed[0].item_key));
    let args: serde_json::Value = serde_json::from_str(event.custom_args.as_deref().unwrap()).unwrap();
    assert_eq!((&args["order"], &args["name"]), (&serde_json::json!("7"), &serde_json::json!(marker)));
    assert_eq!(args["deep"]["list"][1], marker);
    let opened = String::from_utf8(keys().open(&sealed[0].seal_key_id, &sealed[0].sealed).unwrap()).unwrap();
    assert_eq!(
        opened,
        r#"{"of":{"email":"jane.doe@example.com","sg_event_id":"a"},"members":{"name":"J\ud800","deep":{"list":[1,"\udc00x"]}}}"#
    );
    // `replay` does not take it for an event, and `forget` finds whose it is.
    assert_eq!(protected(&opened, &privacy()).rows().sealed[0].item_key, sealed[0].item_key);
    let mut who = crate::protect::Wanted::default();
    who.add_address("jane.doe@example.com", &keys());
    assert!(who.is_in(opened.as_bytes(), &keys()));
    // The same event has the same keys, and another value makes another fingerprint.
    let again = &protected(body, &privacy()).rows();
    assert!(again.events[0] == *event && again.sealed[0].item_key == sealed[0].item_key);
    let other = protected(&body.replace(r"J\ud800", r"J\ud801"), &privacy()).rows();
    assert_ne!(other.events[0].fingerprint, event.fingerprint);
}

#[test]
fn unreadable_parts_are_sealed_and_only_the_key_opens_them() {
    let batch = protected("[{\"event\":\"open\"},{\"event\":\"open\"},7]", &privacy());
    let sealed = &batch.rows().sealed;
    assert_eq!(
        sealed.iter().map(|s| s.why.as_str()).collect::<Vec<_>>(),
        ["no_timestamp", "no_timestamp", "not_an_object"]
    );
    assert_eq!(sealed[0].item_key, sealed[1].item_key, "a repetition is one entry");
    assert_ne!(sealed[0].sealed, sealed[1].sealed, "though no two seals look alike");
    let keys = keys();
    assert_eq!(keys.open(&sealed[0].seal_key_id, &sealed[0].sealed).unwrap(), b"{\"event\":\"open\"}");
    let mut damaged = sealed[0].sealed.clone();
    damaged[20] ^= 1;
    assert_eq!(keys.open(&sealed[0].seal_key_id, &damaged), Err(crate::protect::OpenError::Damaged));
    assert!(matches!(keys.open("0123456789abcdef", &damaged), Err(crate::protect::OpenError::UnknownKey(_))));
    let stranger =
        KeyRing::new(HashMode::HmacSha256, &KeyFile { hash: vec![1; 32], dedupe: vec![2; 32], seal: vec![4; 32] });
    assert!(stranger.open(&sealed[0].seal_key_id, &sealed[0].sealed).is_err());
}

#[test]
fn a_number_that_is_the_local_part_goes_from_custom_args_alone() {
    let event = row(
        "{\"email\":\"09012345678@docomo.example\",\"event\":\"open\",\"timestamp\":1700000000,\"asm_group_id\":9012345678,\
         \"phone\":9012345678,\"other\":[90123456789,{\"n\":9012345678}],\"category\":\"09012345678\"}",
    );
    let expected = "{\"phone\":\"[address]\",\"other\":[90123456789,{\"n\":\"[address]\"}]}";
    assert!(
        event.custom_args.as_deref().is_some_and(|args| args.starts_with(&expected[..expected.len() - 1])),
        "{event:?}"
    );
    assert_eq!(event.category, ["09012345678"]);
}

/// Every form in which mailtrail promises to write no address.
fn forms(address: &str) -> Vec<String> {
    let percent = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let mut forms = Vec::new();
    for spelling in [address.to_owned(), address.to_lowercase()] {
        let (local, domain) = spelling.rsplit_once('@').unwrap();
        forms.extend([
            spelling.clone(),
            spelling.replace('@', "%40"),
            spelling.replace('@', "%2540"),
            percent(&spelling),
            percent(&percent(&spelling)),
            spelling.replace('@', "&#64;"),
            spelling.replace('@', "&#x40;"),
            spelling.replace('@', "&commat;"),
            format!("{local}={domain}"),
            hex(spelling.as_bytes()),
            hex(&Md5::digest(spelling.as_bytes())),
            hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, spelling.as_bytes()).as_ref()),
            hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, spelling.as_bytes()).as_ref()),
        ]);
        for before in ["", "x", "xy"] {
            forms.push(STANDARD.encode(format!("{before}{spelling}")).trim_end_matches('=').to_owned());
            forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{spelling}?")));
        }
    }
    forms
}

/// What must not be found: of an encoding at an offset, the digits that hold whole bytes of the address.
fn traces(address: &str) -> Vec<String> {
    let mut traces = forms(address);
    traces.retain(|form| !form.is_empty());
    traces
}

fn addresses() -> impl Strategy<Value = String> {
    let local = prop_oneof![
        "[a-z]{5,12}",
        "[A-Za-z]{2,8}\\.[A-Za-z]{2,8}",
        "[a-z]{3,6}\\+[a-z0-9]{2,6}",
        "[a-z]{2,5}[0-9]{2,4}",
        "[a-zäöüé]{5,9}",
        "[A-Z][a-z]{4,8}_[A-Z][a-z]{3}",
    ];
    let domain = prop_oneof!["[a-z]{3,9}\\.example", "[a-z]{2,5}\\.[a-z]{3,6}\\.test", "[A-Z][a-z]{3,8}\\.Example"];
    (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

const EVENTS: [&str; 8] =
    ["processed", "deferred", "delivered", "bounce", "dropped", "click", "group_unsubscribe", "some_new_event"];
const FIELDS: [&str; 16] = [
    "reason",
    "response",
    "status",
    "type",
    "bounce_classification",
    "url",
    "useragent",
    "ip",
    "smtp-id",
    "message",
    "domain",
    "from",
    "category",
    "mailtrail_run",
    "customer",
    "asm_group_id",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_form_of_an_address_is_ever_written(
        address in addresses(),
        event in prop::sample::select(&EVENTS[..]),
        before in "[ <>\"(:;,]{1,3}",
        after in "[ <>\"):;,]{1,3}",
    ) {
        for form in forms(&address) {
            let quoted = serde_json::to_string(&format!("{before}{form}{after}")).unwrap();
            let bare = serde_json::to_string(&form).unwrap();
            let fields: Vec<String> = FIELDS.iter().map(|name| format!("\"{name}\":{quoted}")).collect();
            let url = serde_json::to_string(&format!("https://c.example/u/{form}/x?to={form}&{form}=1#{form}")).unwrap();
            let body = format!(
                "{{\"email\":{},\"event\":\"{event}\",\"timestamp\":1700000000,{},\"link\":{url},{quoted}:{{\"deep\":[{bare},{{{bare}:{quoted}}}]}},{bare}:{bare}}}",
                serde_json::to_string(&address).unwrap(),
                fields.join(",")
            );
            let batch = protected(&body, &privacy());
            prop_assert_eq!(batch.rows().events.len(), 1, "{}", body);
            let written = String::from_utf8_lossy(&batch.clone().into_body()).to_lowercase();
            for trace in traces(&address) {
                prop_assert!(!written.contains(&trace.to_lowercase()), "{trace} of {address} is left of {form} in {written}");
            }
        }
    }

    #[test]
    fn a_bare_local_part_goes_from_texts_and_stays_in_names(address in addresses(), event in prop::sample::select(&["bounce", "dropped"][..])) {
        let local = address.rsplit_once('@').unwrap().0;
        let body = format!(
            "{{\"email\":\"{address}\",\"event\":\"{event}\",\"timestamp\":1700000000,\"reason\":\"user {local} unknown\",\
             \"note\":\"for {local}.\",\"category\":\"{local}\",\"mailtrail_run\":\"{local}\"}}"
        );
        let event = row(&body);
        prop_assert_eq!(event.reason.as_deref(), Some("user [address] unknown"));
        prop_assert_eq!(event.custom_args.as_deref(), Some("{\"note\":\"for [address].\"}"));
        prop_assert_eq!(&event.category, &[local.to_owned()]);
        prop_assert_eq!(event.run.as_deref(), Some(local));
    }

    #[test]
    fn the_same_event_is_the_same_row(address in addresses(), text in "[ -~]{0,40}", number: i32) {
        let text = serde_json::to_string(&text).unwrap();
        let (a, b) = (format!("\"email\":\"{address}\",\"event\":\"bounce\",\"reason\":{text}"), format!("\"timestamp\":1700000000,\"n\":{number}"));
        let one = protected(&format!("[{{{a},{b}}}]"), &privacy());
        let other = protected(&format!(" [ {{ {b} , {a} }} ] "), &privacy());
        prop_assert_eq!(one.rows().events.clone(), other.rows().events.clone());
    }
}
