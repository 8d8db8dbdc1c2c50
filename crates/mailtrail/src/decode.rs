//! Authentic body → items. The work is [`sendgrid_events`]'; this room only makes sure that nothing else is decoded.

use sendgrid_events::Items;

use crate::receive::Authentic;

/// What bytes that are no events look like, with the program that sends such; `None` if they could be anything.
#[must_use]
pub fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    let head = start.get(..1024).unwrap_or(start).to_ascii_lowercase();
    let contains = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
    if start.starts_with(b"--") && contains(b"content-disposition: form-data") {
        Some("multipart/form-data: this looks like Inbound Parse, which has a URL of its own")
    } else if start.starts_with(&[0x1f, 0x8b]) {
        Some("gzip: a proxy or sender compresses bodies")
    } else if start.starts_with(b"<") {
        Some("HTML or XML")
    } else if !start.starts_with(b"{") && !start.starts_with(b"[") && contains(b"=") && head.is_ascii() {
        Some("application/x-www-form-urlencoded: this looks like a form or another service's webhook")
    } else if start.is_empty() {
        Some("an empty body")
    } else {
        None
    }
}

/// Reads the items of a body that has passed [`crate::receive`].
#[must_use]
pub fn decode(body: &Authentic) -> Items<'_> {
    Items::of(body.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_webhooks_are_recognised_by_their_form() {
        let parse = b"--xYzZY\r\nContent-Disposition: form-data; name=\"headers\"\r\n\r\nReceived: by";
        for (bytes, begin) in [
            (&parse[..], Some("multipart/form-data: this looks like Inbound Parse")),
            (b"\x1f\x8b\x08\x00", Some("gzip")),
            (b"<html>", Some("HTML")),
            (b"MessageSid=SM1&To=%2B1", Some("application/x-www-form-urlencoded")),
            (b" ", Some("an empty body")),
            (b"[{\"event\":\"a=b\"", None),
            (b"-- ", None),
        ] {
            assert_eq!(looks_like(bytes).is_some(), begin.is_some(), "{bytes:?}");
            assert!(looks_like(bytes).is_none_or(|form| form.starts_with(begin.unwrap())), "{bytes:?}");
        }
    }
}
