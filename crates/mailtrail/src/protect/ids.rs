//! Ids of SendGrid's: kept whole for correlation where they have its form, treated as text where they have not.

use std::borrow::Cow;

use super::redact::{Kind, Redactor};

/// What stands where a client's own local part stood.
const LOCAL: &str = "[local]";

/// An `sg_event_id` or `sg_message_id`.
pub(super) fn id<'t>(text: &'t str, redactor: &Redactor<'_>) -> Cow<'t, str> {
    if has_id_form(text.trim()) { Cow::Borrowed(text) } else { redactor.text(text, Kind::Fixed) }
}

/// Letters, digits and `- _ . + /`, with base64's padding at most at the end: no form of an address but an encoded one.
fn has_id_form(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    // Every byte is looked at: without an early exit many are at once.
    let of_ids = |b: u8| b.is_ascii_alphanumeric() | matches!(b, b'-' | b'_' | b'.' | b'+' | b'/');
    text.len() - body.len() <= 2 && text.len() <= 255 && body.bytes().fold(true, |all, byte| all & of_ids(byte))
}

/// An `smtp-id`: SendGrid's own stays; of relayed mail's, which is the client's, the local part goes.
pub(super) fn smtp_id<'t>(text: &'t str, redactor: &Redactor<'_>) -> Cow<'t, str> {
    let inner = text.trim().trim_start_matches('<').trim_end_matches('>');
    if inner.is_empty() {
        return Cow::Borrowed(text);
    }
    match inner.rsplit_once('@') {
        Some((local, host)) if is_sendgrids(local, host) => Cow::Borrowed(text),
        Some((_, host)) => Cow::Owned(format!("<{LOCAL}@{}>", redactor.text(host, Kind::Free))),
        None => redactor.text(text, Kind::Free),
    }
}

/// `<22 characters>@geopod-ismtpd-…`, the same `@….sendgrid.net`, and the older `<hex.digits>@sendgrid.com`.
fn is_sendgrids(local: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let of_host = host.strip_prefix("geopod-ismtpd-").is_some_and(is_name)
        || ["sendgrid.net", "sendgrid.com"]
            .iter()
            .filter_map(|name| host.strip_suffix(name))
            .any(|rest| rest.is_empty() || rest.strip_suffix('.').is_some_and(is_name));
    let is_id = local.len() == 22 && local.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let is_older = local.split_once('.').is_some_and(|(hex, digits)| {
        hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()) && digits.bytes().all(|b| b.is_ascii_digit())
    });
    of_host && (is_id || is_older)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sendgrid_s_ids_stay_and_others_lose_what_could_tell_who() {
        let redactor = Redactor::new(Some("jane.doe@example.com"));
        for own in [
            "<dStsxCyLRLKzKSH0zo9exQ@geopod-ismtpd-4>",
            "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
            "<4FB4041F.6080505@sendgrid.com>",
            "",
        ] {
            assert_eq!(smtp_id(own, &redactor), own);
        }
        assert_eq!(smtp_id("<jane.doe-1527@client.example>", &redactor), "<[local]@client.example>");
        assert_eq!(smtp_id("<1527@jane.doe=example.com>", &redactor), "<[local]@[address]>");
        assert_eq!(smtp_id("<jane.doe@ismtpd.client.example>", &redactor), "<[local]@ismtpd.client.example>");
        assert_eq!(smtp_id("<jane.doe@sendgrid.net>", &redactor), "<[local]@sendgrid.net>");
        assert_eq!(smtp_id("jane.doe", &redactor), "[address]");
        for id_text in [
            "cHJvY2Vzc2VkLTUxMzM1NTIwLWRTdHN4Q3lMUkxLektTSDB6bzlleFEtMA",
            "a1==",
            " 14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        ] {
            assert_eq!(id(id_text, &redactor), id_text);
        }
        assert_eq!(id("x jane.doe@example.com", &redactor), "x [address]");
        assert_eq!(id("jane.doe=example.com", &redactor), "[address]");
    }
}
