//! Any text as the two headers: no panic; what is accepted has the strict form, and is not proof of a body by itself.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use sendgrid_events::PublicKey;
use sendgrid_events::signature::Signature;

/// The base point of P-256: a valid public key whose private key is 1. An input that verifies under it would be a
/// forgery that a fuzzer does not find by chance.
static KEY: LazyLock<[PublicKey; 1]> = LazyLock::new(|| {
    let text = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";
    [PublicKey::parse(text).expect("the base point is on the curve")]
});

fuzz_target!(|data: (&str, &str, &[u8])| {
    let (signature, timestamp, body) = data;
    let Ok(parsed) = Signature::parse(signature, timestamp) else { return };
    assert!((9..=11).contains(&timestamp.len()) && timestamp.bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(timestamp.parse(), Ok(parsed.signed_at()));
    let der = STANDARD.decode(signature).expect("accepted as base64");
    assert_eq!(STANDARD.encode(&der), signature, "two texts for one signature");
    assert!(parsed.verify(KEY.as_slice(), body).is_err(), "a forgery");
    assert!(parsed.verify(&[], body).is_err(), "verified under no key at all");
});
