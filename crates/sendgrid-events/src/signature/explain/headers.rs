//! Headers that may have been sent, where these were captured.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{Cause, Reading, Suspicion};
use crate::signature::Signature;

/// Ways to read the two headers, as they stand first.
pub(super) fn readings(signature: &str, timestamp: &str) -> Vec<Reading<Signature>> {
    let mut found = in_order(signature, timestamp, &[]);
    found.extend(in_order(timestamp, signature, &[Cause::HeadersSwapped]));
    found
}

/// Which of the two has no known form.
pub(super) fn suspicion(timestamp: &str) -> Vec<Suspicion> {
    match timestamps(timestamp).is_empty() {
        true => vec![Suspicion::TimestampForm],
        false => vec![Suspicion::SignatureForm],
    }
}

fn in_order(signature: &str, timestamp: &str, undone: &[Cause]) -> Vec<Reading<Signature>> {
    let mut found = Vec::new();
    for time in timestamps(timestamp) {
        for der in signatures(signature) {
            if let Ok(value) = Signature::parse(&der.value, &time.value) {
                found.push(Reading::new(value, &[undone, &time.undone, &der.undone].concat()));
            }
        }
    }
    found
}

fn timestamps(text: &str) -> Vec<Reading<String>> {
    let compact: String = text.split_whitespace().collect();
    let mut undone = Vec::new();
    if compact != text {
        undone.push(Cause::TimestampSpaces);
    }
    let mut digits = compact.as_str();
    if digits.len() == 13 && digits.is_ascii() {
        digits = &digits[..10];
        undone.push(Cause::TimestampMilliseconds);
    }
    match (9..=11).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        true => vec![Reading::new(digits.to_owned(), &undone)],
        false => Vec::new(),
    }
}

/// Signatures as standard base64 of DER.
fn signatures(text: &str) -> Vec<Reading<String>> {
    let compact: String = text.split_whitespace().collect();
    let wrapped: &[Cause] = if compact == text { &[] } else { &[Cause::SignatureWrapped] };
    let mut found = Vec::new();
    let mut add = |bytes: Vec<u8>, cause: &[Cause]| {
        let undone = [wrapped, cause].concat();
        if let Some(der) = der_of_raw(&bytes) {
            found.push(Reading::new(STANDARD.encode(der), &[&undone[..], &[Cause::SignatureRaw]].concat()));
        }
        found.push(Reading::new(STANDARD.encode(bytes), &undone));
    };
    if let Ok(bytes) = STANDARD.decode(&compact) {
        add(bytes, &[]);
    } else if let Some(bytes) = loose_base64(&compact) {
        add(bytes, &[Cause::SignatureBase64Url]);
    }
    if let Some(bytes) = hex(&compact) {
        add(bytes, &[Cause::SignatureHex]);
    }
    found
}

/// Base64 of either alphabet, without regard to padding.
pub(super) fn loose_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(bare).or_else(|_| STANDARD_NO_PAD.decode(bare)).ok()
}

pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || text.len() % 2 == 1 {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some((digit(pair[0])? << 4) | digit(pair[1])?)).collect()
}

/// ASN.1 DER of r ‖ s, 32 bytes each.
fn der_of_raw(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 64 {
        return None;
    }
    let mut numbers = Vec::new();
    for number in raw.chunks_exact(32) {
        let zeros = number.iter().take_while(|&&b| b == 0).count().min(31);
        let digits = &number[zeros..];
        // A leading bit would read as a minus sign.
        let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
        let length = u8::try_from(sign.len() + digits.len()).ok()?;
        numbers.extend_from_slice(&[&[0x02, length], sign, digits].concat());
    }
    Some([&[0x30, u8::try_from(numbers.len()).ok()?], numbers.as_slice()].concat())
}
