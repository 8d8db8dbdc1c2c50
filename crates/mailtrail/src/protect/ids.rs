//! Ids of SendGrid's: kept whole for correlation where they have its form, treated as text where they have not.

use std::borrow::Cow;

use super::redact::{Kind, Redactor};

/// What stands where a client's own local part stood.
const LOCAL: &str = "[local]";

/// An `sg_event_id` or `sg_message_id`.
pub(super) fn id<'t>(text: &'t str, redactor: &Redactor) -> Cow<'t, str> {
    if has_id_form(text.trim()) { Cow::Borrowed(text) } else { redactor.text(text, Kind::Fixed) }
}

/// Letters, digits and `- _ . + /`, with base64's padding at most at the end: no form of an address but an encoded one.
fn has_id_form(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() - body.len() <= 2
        && text.len() <= 255
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'/'))
}

/// An `smtp-id`: SendGrid's own stays; of relayed mail's, which is the client's, the local part goes.
pub(super) fn smtp_id<'t>(text: &'t str, redactor: &Redactor) -> Cow<'t, str> {
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

/// `<22 characters>@geopod-ismtpd-…`, `@ismtpd….sendgrid.net`, and the older `<hex.digits>@sendgrid.com`, `@sendgrid.net`.
fn is_sendgrids(local: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let of_host = host.starts_with("geopod-ismtpd-")
        || host.starts_with("ismtpd")
        || ["sendgrid.net", "sendgrid.com"].iter().any(|name| host == *name || host.ends_with(&format!(".{name}")));
    let host_is_plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    of_host && host_is_plain && has_id_form(local)
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
