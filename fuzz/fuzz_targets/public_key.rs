//! Any text as a public key: no panic; the id depends on the key alone, not on white space or PEM armour around it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sendgrid_events::PublicKey;

fuzz_target!(|text: &str| {
    let Ok(key) = PublicKey::parse(text) else { return };
    let id = key.id().as_str();
    assert!(id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    let bare = text.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "");
    let bare: String = bare.split_ascii_whitespace().collect();
    let armoured = format!("-----BEGIN PUBLIC KEY-----\r\n{bare}\r\n-----END PUBLIC KEY-----\r\n");
    for other in [&bare, &armoured] {
        assert_eq!(PublicKey::parse(other).expect("the same key").id(), key.id());
    }
});
