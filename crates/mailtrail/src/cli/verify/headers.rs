//! The two headers of a signed POST, found in a file of headers.

use sendgrid_events::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// What was found of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedHeaders {
    pub(super) signature: Option<String>,
    pub(super) timestamp: Option<String>,
}

/// Reads `Name: value` lines in any case, with or without curl's `> ` before them; the first of each name counts.
pub(super) fn parse(text: &str) -> SignedHeaders {
    let value = |wanted: &str| {
        text.lines().find_map(|line| {
            let line = line.trim_start_matches(['>', '<', ' ', '\t']);
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    SignedHeaders { signature: value(SIGNATURE_HEADER), timestamp: value(TIMESTAMP_HEADER) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curl_s_lines_and_plain_ones_are_read_in_any_case() {
        let found = |signature: &str, timestamp: &str| SignedHeaders {
            signature: (!signature.is_empty()).then(|| signature.to_owned()),
            timestamp: (!timestamp.is_empty()).then(|| timestamp.to_owned()),
        };
        for (text, expected) in [
            ("", found("", "")),
            (
                "> POST /x HTTP/1.1\r\n> x-twilio-email-event-webhook-signature: MEUC==\r\n> X-Twilio-Email-Event-Webhook-TIMESTAMP:1\r\n>\r\n",
                found("MEUC==", "1"),
            ),
            ("X-Twilio-Email-Event-Webhook-Timestamp: 2\nHost: a:80\n", found("", "2")),
            ("no header at all\nX-Twilio-Email-Event-Webhook-Signatures: no\n", found("", "")),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
