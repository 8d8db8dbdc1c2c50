use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

const BODY: &[u8] = b"[{\"event\":\"open\",\"timestamp\":1700000000,\"k\":\"a},{b\"},\r\n{\"event\":\"click\",\"timestamp\":1700000000}]\r\n";
const TIME: &str = "1700000009";

struct Signed {
    pkcs8: Vec<u8>,
    spki: Vec<u8>,
    key: String,
    der: Vec<u8>,
    raw: Vec<u8>,
    signature: String,
}

fn signed(body: &[u8]) -> Signed {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("randomness");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("own key");
    let fixed = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("own key");
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("own key");
    let message = [TIME.as_bytes(), body].concat();
    let der = pair.sign(&random, &message).expect("randomness").as_ref().to_vec();
    let raw = fixed.sign(&random, &message).expect("randomness").as_ref().to_vec();
    Signed {
        pkcs8: pkcs8.as_ref().to_vec(),
        spki: spki.as_ref().to_vec(),
        key: STANDARD.encode(spki.as_ref()),
        signature: STANDARD.encode(&der),
        der,
        raw,
    }
}

fn found(key: &str, signature: &str, timestamp: &str, body: &[u8]) -> Vec<Finding> {
    explain(&Captured { keys: &[key], signature: Some(signature), timestamp: Some(timestamp), body })
}

fn confirmed(causes: &[Cause]) -> Vec<Finding> {
    causes.iter().copied().map(Finding::Confirmed).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn what_holds_is_said_to_hold_under_whichever_key() {
    let (one, other) = (signed(BODY), signed(BODY));
    let keys = [other.key.as_str(), one.key.as_str()];
    let all = Captured { keys: &keys, signature: Some(&one.signature), timestamp: Some(TIME), body: BODY };
    let id = PublicKey::parse(&one.key).expect("own key").id().clone();
    assert_eq!(explain(&all), [Finding::Holds(id)]);
}

#[test]
fn spoilt_bodies_are_told() {
    let text = std::str::from_utf8(BODY).expect("text");
    let one_line = "[{\"event\":\"open\"},{\"event\":\"open\"}]";
    for (sent, captured, cause) in [
        (text, text.trim_end().to_owned(), Cause::EndLost),
        (text, text.replace("\r\n", "\n"), Cause::CrlfToLf),
        (text, text.replace("\r\n", ""), Cause::BetweenElements),
        (one_line, format!("{one_line}\n"), Cause::EndAdded),
        (one_line, format!("{one_line}\r\n\r\n"), Cause::EndAdded),
        (one_line, one_line.replace("},{", "},\r\n{"), Cause::BetweenElements),
        ("[{\n}]\n", "[{\r\n}]\r\n".to_owned(), Cause::LfToCrlf),
        (one_line, format!("\u{feff}{one_line}"), Cause::MarkAdded),
        ("\u{feff}[{}]", "[{}]".to_owned(), Cause::MarkLost),
        (text, STANDARD.encode(text), Cause::BodyBase64),
        (text, format!("{}\n", STANDARD.encode(text)), Cause::BodyBase64),
    ] {
        let signed = signed(sent.as_bytes());
        assert_eq!(
            found(&signed.key, &signed.signature, TIME, captured.as_bytes()),
            confirmed(&[cause]),
            "{captured:?}"
        );
    }
}

#[test]
fn spoilt_headers_are_told() {
    let s = signed(BODY);
    let wrapped = format!("{}\r\n {}", &s.signature[..60], &s.signature[60..]);
    assert_eq!(found(&s.key, &wrapped, TIME, BODY), confirmed(&[Cause::SignatureWrapped]));
    assert_eq!(found(&s.key, &hex(&s.der), TIME, BODY), confirmed(&[Cause::SignatureHex]));
    assert_eq!(found(&s.key, &STANDARD.encode(&s.raw), TIME, BODY), confirmed(&[Cause::SignatureRaw]));
    let jwt = URL_SAFE_NO_PAD.encode(&s.raw);
    assert_eq!(found(&s.key, &jwt, TIME, BODY), confirmed(&[Cause::SignatureBase64Url, Cause::SignatureRaw]));
    assert_eq!(found(&s.key, TIME, &s.signature, BODY), confirmed(&[Cause::HeadersSwapped]));
    assert_eq!(found(&s.key, &s.signature, " 1700000009\n", BODY), confirmed(&[Cause::TimestampSpaces]));
    assert_eq!(found(&s.key, &s.signature, "1700000009123", BODY), confirmed(&[Cause::TimestampMilliseconds]));
}

#[test]
fn spoilt_keys_are_told() {
    let s = signed(BODY);
    assert_eq!(found(&hex(&s.spki), &s.signature, TIME, BODY), confirmed(&[Cause::KeyHex]));
    assert_eq!(found(&STANDARD.encode(&s.spki[26..]), &s.signature, TIME, BODY), confirmed(&[Cause::KeyPoint]));
    let unpadded = s.key.trim_end_matches('=').replace('+', "-").replace('/', "_");
    assert_eq!(found(&unpadded, &s.signature, TIME, BODY), confirmed(&[Cause::KeyBase64Url]));
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", s.key);
    assert!(matches!(found(&pem, &s.signature, TIME, BODY)[..], [Finding::Holds(_)]));
    let p384 = STANDARD.encode([&[0x30, 0x76, 0x30, 0x10][..], key::EC_PUBLIC_KEY, &[0; 100]].concat());
    for (key, suspicion) in [
        (STANDARD.encode(&s.pkcs8), Suspicion::KeyPrivate),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----".to_owned(), Suspicion::KeyPrivate),
        (p384, Suspicion::KeyOtherKind),
        ("SG.abcdefghijklmnopqrstuv.abc_def-ghi".to_owned(), Suspicion::KeyIsApiKey),
        ("nonsense".to_owned(), Suspicion::KeyForm),
    ] {
        assert_eq!(found(&key, &s.signature, TIME, BODY), [Finding::Unconfirmed(suspicion)]);
    }
}

#[test]
fn a_configured_key_is_accepted_if_it_is_certainly_meant() {
    let s = signed(BODY);
    let pem = |end: &str| format!("-----BEGIN PUBLIC KEY-----{end}{}{end}-----END PUBLIC KEY-----{end}", s.key);
    let url = s.key.trim_end_matches('=').replace('+', "-").replace('/', "_");
    for (text, causes) in [
        (s.key.clone(), vec![]),
        (format!("  {}\r\n", s.key), vec![]),
        (pem("\n"), vec![]),
        (pem("\\n"), vec![Cause::KeyEscapes]),
        (format!("'{}'", s.key), vec![Cause::KeyQuoted]),
        (format!("\u{feff}{}", s.key), vec![Cause::KeyInvisible(1)]),
        (format!("{}\u{200b}{}", &s.key[..64], &s.key[64..]), vec![Cause::KeyInvisible(65)]),
        (format!("\u{a0}\"{url}\""), vec![Cause::KeyInvisible(1), Cause::KeyQuoted, Cause::KeyBase64Url]),
    ] {
        let read = read_public_key(&text).map(|(key, causes)| (key.id().clone(), causes));
        // `url` may need no repair if the key has none of the characters and no padding: it always has padding.
        assert_eq!(read, Ok((PublicKey::parse(&s.key).unwrap().id().clone(), causes)), "{text:?}");
    }
    for (text, suspicion) in [
        ("", Suspicion::KeyMissing),
        ("'SG.abc.def'", Suspicion::KeyIsApiKey),
        ("MFkwEwYHKoZIzj0CAQYI", Suspicion::KeyCutOff),
    ] {
        assert_eq!(read_public_key(text).err(), Some(suspicion), "{text:?}");
    }
    assert_eq!(read_public_key(&STANDARD.encode(&s.pkcs8)).err(), Some(Suspicion::KeyPrivate));
}

#[test]
fn two_causes_at_once_are_both_told() {
    let s = signed(BODY);
    let both = found(&hex(&s.spki), &s.signature, TIME, BODY.trim_ascii_end());
    assert_eq!(both, confirmed(&[Cause::KeyHex, Cause::EndLost]));
}

#[test]
fn what_cannot_be_undone_is_said_to_be_so() {
    let (s, other) = (signed(BODY), signed(BODY));
    let only = |suspicion| vec![Finding::Unconfirmed(suspicion)];
    let reserialised = br#"[{"timestamp":1700000000,"event":"open"}]"#;
    assert_eq!(found(&s.key, &s.signature, TIME, reserialised), only(Suspicion::OtherKeyOrBytes));
    assert_eq!(found(&other.key, &s.signature, TIME, BODY), only(Suspicion::OtherKeyOrBytes));
    assert_eq!(found(&s.key, &s.signature, TIME, b""), only(Suspicion::BodyEmpty));
    assert_eq!(found(&s.key, &s.signature, TIME, &[0x1f, 0x8b, 8, 0]), only(Suspicion::BodyCompressed));
    assert_eq!(found(&s.key, &s.signature, TIME, &BODY[..40]), only(Suspicion::BodyNotJson));
    assert_eq!(found(&s.key, "!", TIME, BODY), only(Suspicion::SignatureForm));
    assert_eq!(found(&s.key, &s.signature, "yesterday", BODY), only(Suspicion::TimestampForm));
    let (key, signature, time) = ([s.key.as_str()], Some(s.signature.as_str()), Some(TIME));
    for (keys, signature, timestamp, suspicion) in [
        (&key[..], None, None, Suspicion::Unsigned),
        (&key[..], Some(" "), time, Suspicion::SignatureMissing),
        (&key[..], signature, None, Suspicion::TimestampMissing),
        (&[], signature, time, Suspicion::KeyMissing),
    ] {
        assert_eq!(explain(&Captured { keys, signature, timestamp, body: BODY }), only(suspicion));
    }
}
