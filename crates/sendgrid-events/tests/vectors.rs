//! SendGrid's published signature vectors and others, from the shared data folder; and vectors of our own, so that the
//! crate is tested without that folder.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sendgrid_events::PublicKey;
use sendgrid_events::signature::{Signature, SignatureError};
use serde_json::Value;

/// Valid signatures that are refused all the same: nothing separates timestamp and body, so a body that does not start
/// like a webhook's could hold a digit of the timestamp, and an empty one proves nothing about events.
const REFUSED: &[&str] = &["selfgen_empty_body", "selfgen_timestamp_prefix_shift"];

fn accepts(key: &str, signature: &str, timestamp: &str, body: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (PublicKey::parse(key), Signature::parse(signature, timestamp)) else {
        return false;
    };
    let keys = [key];
    signature.verify(&keys, body) == Ok(keys[0].id())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn every_vector_gives_the_verdict_it_names() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/signature_vectors.json");
    let Ok(text) = std::fs::read(&file) else {
        eprintln!("skipped: the shared vectors are not here");
        return;
    };
    let file: Value = serde_json::from_slice(&text).expect("the vectors are JSON");
    let vectors = file["vectors"].as_array().expect("a list of vectors");
    assert!(vectors.len() >= 29, "only {} vectors", vectors.len());
    for vector in vectors {
        let name = vector["name"].as_str().expect("a name");
        let text = |key: &str| vector[key].as_str().unwrap_or_default();
        let body = STANDARD.decode(vector["payload_b64"].as_str().expect("a body")).expect("base64");
        let expected = match text("expected") {
            "valid" => !REFUSED.contains(&name),
            "invalid" | "error" => false,
            other => panic!("{name}: unknown verdict {other}"),
        };
        let got = accepts(text("public_key_b64_der_spki"), text("signature_b64"), text("timestamp"), &body);
        assert_eq!(got, expected, "{name}");
    }
    for refused in REFUSED {
        assert!(vectors.iter().any(|v| v["name"] == **refused), "{refused} is no vector any more");
    }
}

/// Made with OpenSSL for these tests; the private key was thrown away.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE85bFOe0ZBu5klBOS8GNVIkJs0Y8G9G/6I8VklzafZgh/b0P8N6Wd0mSU4f9o4Vr3WSgTDMLFk6HP+bFRpEF7Zw==";
const TIMESTAMP: &str = "1700000001";
const SIGNED: &[(&[u8], &str)] = &[
    (
        b"[{\"event\":\"open\",\"timestamp\":1700000000}]\r\n",
        "MEUCIEtXRrLtFaJPNGRGhrhUmbke1rVOWh03nAlMQelrg4uaAiEAuqmIhAiURSAzAAPZBJ1S5Fxo5HPnJiy3FbstPZmgFXc=",
    ),
    (b"[]", "MEQCIF99oL0mn/zFH7qGgw5RRvqQq+Ca7hevb3X4zTktOxdIAiANDguThwnejo6moni9OdGCsZeVlxMg2U6iqps1pL2VXQ=="),
    (
        b"\xEF\xBB\xBF[]",
        "MEYCIQDRhABPp7nCG5/4UgGwaFgedJs30LtLg2aJPKDmH3FUGgIhAKDcvYs6KVJ9SeJ1aj12m7UqDSsziYr7B38gtcsKf6Wl",
    ),
];

#[test]
fn signed_bytes_hold_and_every_other_byte_fails() {
    for (body, signature) in SIGNED {
        assert!(accepts(KEY, signature, TIMESTAMP, body));
        assert!(!accepts(KEY, signature, "1700000002", body));
        for at in 0..body.len() {
            let mut other = body.to_vec();
            other[at] ^= 1;
            assert!(!accepts(KEY, signature, TIMESTAMP, &other), "byte {at} is not covered");
        }
        assert!(!accepts(KEY, signature, TIMESTAMP, &[body, &b"\n"[..]].concat()));
    }
}

#[test]
fn digits_cannot_move_from_the_timestamp_into_the_body() {
    let (body, signature) = SIGNED[1];
    let signature = Signature::parse(signature, "170000000").expect("nine digits are allowed");
    let keys = [PublicKey::parse(KEY).expect("a key")];
    assert_eq!(signature.verify(&keys, &[b"1", body].concat()), Err(SignatureError::BodyStart));
}
