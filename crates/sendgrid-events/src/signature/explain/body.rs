//! Bodies that may have been sent, where this one was captured.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{Cause, Reading};
use crate::split::split;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Ways to read `body`, as it stands first.
pub(super) fn readings(body: &[u8]) -> Vec<Reading<Cow<'_, [u8]>>> {
    let mut found = vec![Reading::new(Cow::Borrowed(body), &[])];
    add_line_breaks(&mut found, body, &[]);
    match body.strip_prefix(MARK) {
        Some(bare) => {
            found.push(Reading::new(Cow::Borrowed(bare), &[Cause::MarkAdded]));
            add_line_breaks(&mut found, bare, &[Cause::MarkAdded]);
        }
        None => found.push(Reading::new(Cow::Owned([MARK, body].concat()), &[Cause::MarkLost])),
    }
    if let Some(decoded) = decode(body) {
        found.push(Reading::new(Cow::Owned(decoded), &[Cause::BodyBase64]));
    }
    found
}

fn decode(body: &[u8]) -> Option<Vec<u8>> {
    let compact: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(&compact).or_else(|_| URL_SAFE.decode(&compact)).ok()
}

fn add_line_breaks<'a>(found: &mut Vec<Reading<Cow<'a, [u8]>>>, body: &'a [u8], undone: &[Cause]) {
    let mut add = |value: Cow<'a, [u8]>, cause| {
        if value != body {
            found.push(Reading::new(value, &[undone, &[cause]].concat()));
        }
    };
    let bare = body.trim_ascii_end();
    for end in ["\r\n", "\n"] {
        if let Some(shorter) = body.strip_suffix(end.as_bytes()) {
            add(Cow::Borrowed(shorter), Cause::EndAdded);
        }
        add(Cow::Owned([body, end.as_bytes()].concat()), Cause::EndLost);
    }
    let lf = without_cr(body);
    add(Cow::Owned(with_cr(&lf)), Cause::CrlfToLf);
    add(Cow::Owned(lf), Cause::LfToCrlf);
    add(Cow::Borrowed(bare), Cause::EndAdded);
    for between in [",", ",\r\n", ",\n", ", "] {
        for end in ["", "\r\n", "\n"] {
            if let Some(joined) = rejoined(body, between, end) {
                add(Cow::Owned(joined), Cause::BetweenElements);
            }
        }
    }
}

/// The elements of an array between other white space; `None` where the body is no array.
fn rejoined(body: &[u8], between: &str, end: &str) -> Option<Vec<u8>> {
    if !body.trim_ascii_start().starts_with(b"[") {
        return None;
    }
    let elements = split(body).ok()?;
    let elements: Vec<&[u8]> = elements.iter().map(|element| &body[element.range.clone()]).collect();
    Some([b"[", elements.join(between.as_bytes()).as_slice(), b"]", end.as_bytes()].concat())
}

fn without_cr(body: &[u8]) -> Vec<u8> {
    let followed_by_lf = |at: usize| body.get(at + 1) == Some(&b'\n');
    body.iter().enumerate().filter(|&(at, &b)| !(b == b'\r' && followed_by_lf(at))).map(|(_, &b)| b).collect()
}

fn with_cr(lf: &[u8]) -> Vec<u8> {
    lf.split(|&b| b == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
}
