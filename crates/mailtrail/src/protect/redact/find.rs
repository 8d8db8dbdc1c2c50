//! The finders: each looks for one form and notes where it stands.

use std::ops::Range;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use md5::{Digest, Md5};

use crate::protect::address::normalise;

/// `needle`, in any ASCII case.
pub(super) fn literal(bytes: &[u8], needle: &[u8], note: &mut impl FnMut(Range<usize>)) {
    let Some(first) = needle.first() else { return };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    for at in memchr::memchr2_iter(lower, upper, bytes) {
        if let Some(there) = bytes.get(at..at + needle.len())
            && there.eq_ignore_ascii_case(needle)
        {
            note(at..at + needle.len());
        }
    }
}

/// `needle` as a whole word, in any ASCII case.
pub(super) fn word(bytes: &[u8], needle: &[u8], note: &mut impl FnMut(Range<usize>)) {
    let is_inside =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
    literal(bytes, needle, &mut |range| {
        if !is_inside(range.start.checked_sub(1)) && !is_inside(Some(range.end)) {
            note(range);
        }
    });
}

/// Anything shaped like an address around an `@` or a full-width `＠`.
pub(super) fn shaped(bytes: &[u8], note: &mut impl FnMut(Range<usize>)) {
    const FULL_WIDTH: &[u8] = "＠".as_bytes();
    for at in memchr::memchr2_iter(b'@', FULL_WIDTH[0], bytes) {
        let sign = if bytes[at] == b'@' { 1 } else { FULL_WIDTH.len() };
        if sign > 1 && !bytes[at..].starts_with(FULL_WIDTH) {
            continue;
        }
        let start = local_start(bytes, at);
        let end = domain_end(bytes, at + sign);
        if start < at && end > at + sign {
            note(start..end);
        }
    }
}

fn local_start(bytes: &[u8], at: usize) -> usize {
    if at > 0 && bytes[at - 1] == b'"' {
        // A quoted local part may hold anything; it ends at its own opening quote.
        let from = at.saturating_sub(66);
        if let Some(open) = bytes[from..at - 1].iter().rposition(|&b| b == b'"') {
            return from + open;
        }
    }
    let is_local = |b: u8| {
        b.is_ascii_alphanumeric()
            || b >= 0x80
            || matches!(
                b,
                b'.' | b'!'
                    | b'#'
                    | b'$'
                    | b'%'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'='
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'{'
                    | b'|'
                    | b'}'
                    | b'~'
            )
    };
    bytes[..at].iter().rposition(|&b| !is_local(b)).map_or(0, |outside| outside + 1)
}

fn domain_end(bytes: &[u8], from: usize) -> usize {
    if bytes.get(from) == Some(&b'[') {
        let literal = bytes[from..].iter().take(48).position(|&b| b == b']');
        return literal.map_or(from, |close| from + close + 1);
    }
    let is_domain = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'-' | b'.' | b'_');
    let end = bytes[from..].iter().position(|&b| !is_domain(b)).map_or(bytes.len(), |outside| from + outside);
    let trailing = bytes[from..end].iter().rev().take_while(|b| matches!(b, b'.' | b'-')).count();
    end - trailing
}

/// `needle` as hex digits, wherever a run of them is long enough.
pub(super) fn in_hex(bytes: &[u8], needle: &[u8], note: &mut impl FnMut(Range<usize>)) {
    for run in runs(bytes, needle.len() * 2, |b| b.is_ascii_hexdigit()) {
        for skip in 0..2 {
            let start = run.start + skip;
            let decoded: Vec<u8> =
                bytes[start..run.end].chunks_exact(2).map(|pair| nibble(pair[0]) * 16 + nibble(pair[1])).collect();
            literal(&decoded, needle, &mut |range| note(start + range.start * 2..start + range.end * 2));
        }
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// The fewest base64 digits that hold `length` bytes, at the worst offset.
pub(super) fn base64_length(length: usize) -> usize {
    (length * 8).div_ceil(6)
}

/// `needle` within base64, in either alphabet and at every offset of the digits.
pub(super) fn in_base64(bytes: &[u8], needle: &[u8], note: &mut impl FnMut(Range<usize>)) {
    for run in runs(bytes, base64_length(needle.len()), |b| sextet(b).is_some()) {
        for skip in 0..4.min(run.len()) {
            let start = run.start + skip;
            let decoded = decode_base64(&bytes[start..run.end]);
            literal(&decoded, needle, &mut |range| {
                // Every digit that holds a bit of it.
                let (first, last) = (start + range.start * 8 / 6, start + (range.end * 8).div_ceil(6));
                note(first..last.min(run.end));
            });
        }
    }
}

fn decode_base64(digits: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(digits.len() * 3 / 4 + 1);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits {
        bits = (bits << 6) | u32::from(sextet(*digit).unwrap_or(0));
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held & 0xff) as u8);
        }
    }
    decoded
}

fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Maximal runs of bytes of a class that are at least so long.
fn runs(bytes: &[u8], at_least: usize, is_in: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at + bytes[at..].iter().position(|&b| is_in(b))?;
            let end = bytes[start..].iter().position(|&b| !is_in(b)).map_or(bytes.len(), |outside| start + outside);
            at = end;
            if end - start >= at_least.max(1) {
                return Some(start..end);
            }
        }
        None
    })
}

pub(super) fn has_hex_run(bytes: &[u8], at_least: usize) -> bool {
    runs(bytes, at_least, |b| b.is_ascii_hexdigit()).next().is_some()
}

/// MD5, SHA-1 and SHA-256 of the address as hex, normalised and as sent: what trackers and avatar services use.
pub(super) fn digests(address: &str) -> Vec<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut spellings = vec![normalise(address), address.to_owned()];
    spellings.dedup();
    let all = spellings.iter().flat_map(|address| {
        let bytes = address.as_bytes();
        [
            hex(&Md5::digest(bytes)),
            hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()),
            hex(digest(&SHA256, bytes).as_ref()),
        ]
    });
    all.collect()
}
