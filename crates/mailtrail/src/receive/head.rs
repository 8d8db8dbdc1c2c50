//! The form of a request, judged on its raw head before any byte of the body is read.

use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, ORIGIN};
use sendgrid_events::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::answer::Refusal;

/// Headers that decide who it is or where the body ends: each at most once.
const ONCE: [&str; 7] =
    [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, "authorization", "content-encoding", SIGNATURE_HEADER, TIMESTAMP_HEADER];

const HOST: &str = "host";
const CONTENT_LENGTH: &str = "content-length";
const TRANSFER_ENCODING: &str = "transfer-encoding";

/// Headers that only a proxy adds.
const FORWARDING: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Refuses a head that could be read in two ways.
pub(super) fn check_unambiguous(raw: &[u8]) -> Result<(), Refusal> {
    let mut lines = raw.split(|&b| b == b'\n');
    let is_http_1_1 = lines.next().is_some_and(|line| line.trim_ascii_end().ends_with(b"HTTP/1.1"));
    let mut seen = [0_u8; ONCE.len()];
    let mut is_chunked_alone = true;
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (line[..colon].trim_ascii(), &line[colon + 1..]);
        if let Some(at) = ONCE.iter().position(|once| name.eq_ignore_ascii_case(once.as_bytes())) {
            seen[at] = seen[at].saturating_add(1);
            if ONCE[at] == TRANSFER_ENCODING {
                is_chunked_alone &= value.trim_ascii().eq_ignore_ascii_case(b"chunked");
            }
        }
    }
    let count = |name: &str| ONCE.iter().position(|once| *once == name).map_or(0, |at| seen[at]);
    if count(CONTENT_LENGTH) > 0 && count(TRANSFER_ENCODING) > 0 {
        return Err(Refusal::LengthAmbiguous);
    }
    if seen.iter().any(|&count| count > 1) {
        return Err(Refusal::DuplicateHeader);
    }
    if !is_chunked_alone {
        return Err(Refusal::TransferEncoding);
    }
    if is_http_1_1 && count(HOST) == 0 {
        return Err(Refusal::HostMissing);
    }
    Ok(())
}

/// Refuses a compressed body. Content-Type is never judged: SendGrid's own differs between live posts and its test button.
pub(super) fn check_not_compressed(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(Refusal::ContentEncoding),
        _ => Ok(()),
    }
}

/// For a listener without authentication: only requests made on this machine for this machine, not those of a proxy, or of a
/// browser that shows another site's page or uses another name.
pub(super) fn check_loopback(headers: &HeaderMap) -> Result<(), Refusal> {
    if FORWARDING.iter().any(|name| headers.contains_key(*name)) {
        return Err(Refusal::NotLoopback);
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // Any page may post here without asking, if the body is plain text; only a page of this very listener is not foreign.
    let is_foreign = |origin: &HeaderValue| origin.as_bytes().strip_prefix(b"http://") != Some(host.as_bytes());
    if headers.get_all(ORIGIN).iter().any(is_foreign) {
        return Err(Refusal::NotLoopback);
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_loopback { Ok(()) } else { Err(Refusal::NotLoopback) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let head = |lines: &str| format!("POST /event HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        for (lines, expected) in [
            ("Content-Length: 5\r\n", Ok(())),
            ("Transfer-Encoding: chunked\r\n", Ok(())),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::LengthAmbiguous)),
            ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", Err(Refusal::LengthAmbiguous)),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Refusal::DuplicateHeader)),
            ("AUTHORIZATION: Basic a\r\nauthorization: Basic b\r\n", Err(Refusal::DuplicateHeader)),
            ("Host: b\r\n", Err(Refusal::DuplicateHeader)),
            (
                "X-Twilio-Email-Event-Webhook-Signature: a\nx-twilio-email-event-webhook-signature: a\n",
                Err(Refusal::DuplicateHeader),
            ),
            (
                "X-Twilio-Email-Event-Webhook-Timestamp: 1\r\nX-TWILIO-EMAIL-EVENT-WEBHOOK-TIMESTAMP: 1\r\n",
                Err(Refusal::DuplicateHeader),
            ),
            ("Accept: a\r\nAccept: b\r\n", Ok(())),
            ("Transfer-Encoding:\tCHUNKED \r\n", Ok(())),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Refusal::TransferEncoding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(Refusal::TransferEncoding)),
            ("Transfer-Encoding: chunked,\r\n", Err(Refusal::TransferEncoding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::DuplicateHeader)),
            ("Transfer-Encoding:\r\n", Err(Refusal::TransferEncoding)),
        ] {
            assert_eq!(check_unambiguous(head(lines).as_bytes()), expected, "{lines}");
        }
        let without_host =
            |version: &str| check_unambiguous(format!("POST / HTTP/{version}\r\nA: b\r\n\r\n").as_bytes());
        assert_eq!(without_host("1.1"), Err(Refusal::HostMissing));
        assert_eq!(without_host("1.0"), Ok(()), "HTTP/1.0 has none");
    }

    #[test]
    fn without_authentication_only_this_machine_may_post() {
        let check = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a header value"));
            }
            check_loopback(&headers).is_ok()
        };
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "[::1]"] {
            assert!(check(&[("host", host)]), "{host}");
        }
        for host in ["example.com", "example.com:8080", "10.0.0.1", "localhost.example.com", ""] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")]));
        let from = |origin: &str| check(&[("host", "localhost:8080"), ("origin", origin)]);
        assert!(from("http://localhost:8080"));
        for origin in ["https://evil.example", "null", "http://localhost:3000", "https://localhost:8080", "file://", ""]
        {
            assert!(!from(origin), "{origin}");
        }
        assert!(!check(&[]));
    }
}
