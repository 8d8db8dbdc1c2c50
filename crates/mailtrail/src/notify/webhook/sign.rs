//! The three headers that prove who posts, and what, and when.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::WebhookSecret;
use crate::notify::NoticeId;

/// `webhook-signature` of a body: HMAC-SHA256 over id, time (seconds since the epoch) and body.
#[must_use]
pub fn signature(secret: &WebhookSecret, id: &str, timestamp: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

/// The headers of a POST. The id stays the same when a POST is repeated, so that the receiver can tell.
#[must_use]
pub fn headers(secret: &WebhookSecret, id: &NoticeId, timestamp: i64, body: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let values = [
        ("webhook-id", id.as_str().to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signature(secret, id.as_str(), timestamp, body)),
    ];
    for (name, value) in values {
        // Hex, digits and base64 fit into a header.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn the_specification_s_vector() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let made = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(WebhookSecret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_none());
        assert!(WebhookSecret::parse("whsec_c2hvcnQ=").is_none());
    }
}
