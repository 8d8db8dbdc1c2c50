//! Public keys that may have been meant.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::headers::{hex, loose_base64};
use super::{Cause, Reading, Suspicion};
use crate::signature::{PublicKey, SPKI_PREFIX};

/// Ways to read a text as a key; empty where there is none.
pub(super) fn readings(text: &str) -> Option<Reading<PublicKey>> {
    if let Ok(key) = PublicKey::parse(text) {
        return Some(Reading::new(key, &[]));
    }
    let (clean, undone) = clean(text);
    let compact = compact(&clean);
    let read = |der: Vec<u8>, more: &[Cause]| read(der, &[&undone, more].concat());
    let standard = STANDARD.decode(&compact).ok().and_then(|der| read(der, &[]));
    let loose = || loose_base64(&compact).and_then(|der| read(der, &[Cause::KeyBase64Url]));
    let hexadecimal = || hex(&compact).and_then(|der| read(der, &[Cause::KeyHex]));
    standard.or_else(hexadecimal).or_else(loose)
}

/// Without what shells, JSON and web pages leave around a key, and what that was.
fn clean(text: &str) -> (String, Vec<Cause>) {
    let mut undone = Vec::new();
    let mut clean = text.to_owned();
    if clean.contains("\\n") || clean.contains("\\r") {
        clean = clean.replace("\\r", "\r").replace("\\n", "\n");
        undone.push(Cause::KeyEscapes);
    }
    if let Some(at) = clean.chars().position(is_invisible) {
        clean.retain(|c| !is_invisible(c));
        undone.push(Cause::KeyInvisible(at + 1));
    }
    let quotes: &[char] = &['"', '\'', '\u{201c}', '\u{201d}'];
    let bare = clean.trim().trim_matches(quotes);
    if bare.len() < clean.trim().len() {
        clean = bare.to_owned();
        undone.push(Cause::KeyQuoted);
    }
    (clean, undone)
}

/// Whether it is the beginning of a key on P-256.
fn is_cut_off(der: &[u8]) -> bool {
    let known = der.len().min(SPKI_PREFIX.len());
    (8..SPKI_PREFIX.len() + 65).contains(&der.len()) && der[..known] == SPKI_PREFIX[..known]
}

/// Characters that a copied text carries unseen.
fn is_invisible(c: char) -> bool {
    let is_format = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    is_format || c == '\u{a0}' || c == '\u{3000}' || (c.is_control() && !c.is_ascii_whitespace())
}

fn read(der: Vec<u8>, undone: &[Cause]) -> Option<Reading<PublicKey>> {
    let mut undone = undone.to_vec();
    let is_point = der.len() == 65 && der[0] == 4;
    let spki = if is_point {
        undone.push(Cause::KeyPoint);
        [&SPKI_PREFIX[..], &der].concat()
    } else {
        der
    };
    PublicKey::parse(&STANDARD.encode(spki)).ok().map(|key| Reading { value: key, undone })
}

/// What an unusable key is; `None` for a usable one.
pub(super) fn suspicion(text: &str) -> Option<Suspicion> {
    if readings(text).is_some() {
        return None;
    }
    let clean = clean(text).0;
    if clean.trim_start().starts_with("SG.") {
        return Some(Suspicion::KeyIsApiKey);
    }
    let compact = compact(&clean);
    let der = hex(&compact).or_else(|| loose_base64(&compact)).unwrap_or_default();
    let holds = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    // A private key is a SEQUENCE that starts with a version number (PKCS#8: 0, SEC1: 1), a public one with a SEQUENCE.
    let body = match der.as_slice() {
        [0x30, 0x81, _, body @ ..] | [0x30, 0x82, _, _, body @ ..] => body,
        [0x30, _, body @ ..] => body,
        _ => &[],
    };
    Some(if text.contains("PRIVATE KEY") || matches!(body, [0x02, 0x01, 0 | 1, ..]) {
        Suspicion::KeyPrivate
    } else if is_cut_off(&der) {
        Suspicion::KeyCutOff
    } else if holds(EC_PUBLIC_KEY) || holds(RSA) || holds(ED25519) {
        Suspicion::KeyOtherKind
    } else {
        Suspicion::KeyForm
    })
}

pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// Without PEM armour and white space.
fn compact(text: &str) -> String {
    text.lines().filter(|line| !line.trim().starts_with("-----")).flat_map(str::split_whitespace).collect()
}
