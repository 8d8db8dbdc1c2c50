//! The whole map from outcome to HTTP answer.
//!
//! What SendGrid does with a status: any 2xx means delivered; everything else is repeated at growing intervals for 24
//! hours and then lost. So a mistake in our own configuration (401) costs nothing if mended within a day, and 503 asks
//! for the same POST again. Texts are constants: nothing of the request is echoed.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::post::Kept;

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No such path.
    NotFound,
    /// A POST with valid Basic credentials, but on another path than the webhook's.
    WrongPath,
    /// A POST with the webhook's headers, which anybody can send, on another path than the webhook's.
    WrongPathUnproven,
    /// The webhook's path, but not POST.
    MethodNotAllowed,
    /// A duplicate Authorization, Host, signature, Content-Encoding, Content-Length or Transfer-Encoding header.
    DuplicateHeader,
    /// Both Content-Length and Transfer-Encoding.
    LengthAmbiguous,
    /// A Transfer-Encoding other than `chunked` alone.
    TransferEncoding,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// A request sent before the last one was answered.
    Pipelined,
    /// Content-Encoding other than identity; nothing is ever decompressed.
    ContentEncoding,
    /// No Basic credentials.
    BasicMissing,
    /// Basic credentials that are not configured.
    BasicWrong,
    /// Unauthenticated listener, but the request came through a proxy or for another host.
    NotLoopback,
    /// No signature headers.
    SignatureMissing,
    /// Signature headers that SendGrid cannot have made.
    SignatureMalformed,
    /// Signed longer ago than `max_age`.
    SignatureStale,
    /// Signed further ahead of our clock than `max_ahead`.
    SignatureAhead,
    /// No configured key made this signature.
    SignatureWrong,
    /// Not `[` or `{`: no webhook body.
    NotAWebhook,
    /// Larger than `max_body`.
    TooLarge,
    /// The body came too slowly.
    BodySlow,
    /// The body broke off.
    BodyCut,
    /// The body's chunks are not framed as HTTP says.
    BodyFraming,
    /// The bodies in memory fill the budget.
    MemoryFull,
    /// The unauthenticated bodies of this client fill its part of the budget.
    ClientMemoryFull,
    /// The backlog is at its bound.
    StoreFull,
    /// The store cannot write.
    StoreFailing,
    /// The store did not answer in time.
    StoreSlow,
    /// A POST that this mailtrail relayed came back to it.
    RelayLoop,
}

impl Refusal {
    /// All of them, so that each can be counted from the start.
    pub const ALL: [Refusal; 29] = [
        Refusal::NotFound,
        Refusal::WrongPath,
        Refusal::WrongPathUnproven,
        Refusal::MethodNotAllowed,
        Refusal::DuplicateHeader,
        Refusal::LengthAmbiguous,
        Refusal::TransferEncoding,
        Refusal::HostMissing,
        Refusal::Pipelined,
        Refusal::ContentEncoding,
        Refusal::BasicMissing,
        Refusal::BasicWrong,
        Refusal::NotLoopback,
        Refusal::SignatureMissing,
        Refusal::SignatureMalformed,
        Refusal::SignatureStale,
        Refusal::SignatureAhead,
        Refusal::SignatureWrong,
        Refusal::NotAWebhook,
        Refusal::TooLarge,
        Refusal::BodySlow,
        Refusal::BodyCut,
        Refusal::BodyFraming,
        Refusal::MemoryFull,
        Refusal::ClientMemoryFull,
        Refusal::StoreFull,
        Refusal::StoreFailing,
        Refusal::StoreSlow,
        Refusal::RelayLoop,
    ];

    /// A stable name for logs and the metric label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::NotFound => "not_found",
            Refusal::WrongPath => "wrong_path",
            Refusal::WrongPathUnproven => "wrong_path_unproven",
            Refusal::MethodNotAllowed => "method_not_allowed",
            Refusal::DuplicateHeader => "duplicate_header",
            Refusal::LengthAmbiguous => "length_ambiguous",
            Refusal::TransferEncoding => "transfer_encoding",
            Refusal::HostMissing => "host_missing",
            Refusal::Pipelined => "pipelined",
            Refusal::ContentEncoding => "content_encoding",
            Refusal::BasicMissing => "basic_missing",
            Refusal::BasicWrong => "basic_wrong",
            Refusal::NotLoopback => "not_loopback",
            Refusal::SignatureMissing => "signature_missing",
            Refusal::SignatureMalformed => "signature_malformed",
            Refusal::SignatureStale => "signature_stale",
            Refusal::SignatureAhead => "signature_ahead",
            Refusal::SignatureWrong => "signature_wrong",
            Refusal::NotAWebhook => "not_a_webhook",
            Refusal::TooLarge => "too_large",
            Refusal::BodySlow => "body_slow",
            Refusal::BodyCut => "body_cut",
            Refusal::BodyFraming => "body_framing",
            Refusal::MemoryFull => "memory_full",
            Refusal::ClientMemoryFull => "client_memory_full",
            Refusal::StoreFull => "store_full",
            Refusal::StoreFailing => "store_failing",
            Refusal::StoreSlow => "store_slow",
            Refusal::RelayLoop => "relay_loop",
        }
    }

    /// The status that SendGrid is told.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::NotFound | Refusal::WrongPath | Refusal::WrongPathUnproven => StatusCode::NOT_FOUND,
            Refusal::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::DuplicateHeader
            | Refusal::LengthAmbiguous
            | Refusal::TransferEncoding
            | Refusal::HostMissing
            | Refusal::Pipelined
            | Refusal::NotAWebhook
            | Refusal::BodyCut
            | Refusal::BodyFraming => StatusCode::BAD_REQUEST,
            Refusal::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::NotLoopback => StatusCode::FORBIDDEN,
            Refusal::BasicMissing
            | Refusal::BasicWrong
            | Refusal::SignatureMissing
            | Refusal::SignatureMalformed
            | Refusal::SignatureStale
            | Refusal::SignatureAhead
            | Refusal::SignatureWrong => StatusCode::UNAUTHORIZED,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodySlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::MemoryFull
            | Refusal::ClientMemoryFull
            | Refusal::StoreFull
            | Refusal::StoreFailing
            | Refusal::StoreSlow => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::RelayLoop => StatusCode::LOOP_DETECTED,
        }
    }

    fn text(self) -> &'static str {
        match self.status() {
            StatusCode::NOT_FOUND => "not found\n",
            StatusCode::METHOD_NOT_ALLOWED => "method not allowed\n",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "compressed bodies are not accepted\n",
            StatusCode::FORBIDDEN => "forbidden\n",
            StatusCode::UNAUTHORIZED => "unauthorized\n",
            StatusCode::PAYLOAD_TOO_LARGE => "body too large\n",
            StatusCode::REQUEST_TIMEOUT => "request too slow\n",
            StatusCode::SERVICE_UNAVAILABLE => "try again later\n",
            StatusCode::LOOP_DETECTED => "loop detected\n",
            _ => "bad request\n",
        }
    }

    /// Whether the refused POST may be SendGrid's.
    #[must_use]
    pub fn may_cost_events(self) -> bool {
        !matches!(self, Refusal::NotFound | Refusal::WrongPathUnproven | Refusal::MethodNotAllowed | Refusal::RelayLoop)
    }

    /// Whether it is not clear where this request ends, so that nothing that follows it on the connection can be trusted.
    pub(super) fn is_ambiguous(self) -> bool {
        self.status() == StatusCode::BAD_REQUEST && self != Refusal::NotAWebhook
    }
}

/// 200: every item is durable.
pub(super) fn accepted(kept: Kept) -> Response<Full<Bytes>> {
    let body = format!("{{\"accepted\":{},\"quarantined\":{}}}", kept.accepted, kept.quarantined);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to a refused request.
pub(super) fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    let mut response = plain(refusal.status(), refusal.text());
    let headers = response.headers_mut();
    match refusal {
        Refusal::BasicMissing | Refusal::BasicWrong => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mailtrail\""));
        }
        Refusal::MethodNotAllowed => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        _ if refusal.status() == StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
        }
        _ => {}
    }
    response
}

/// Ends the connection with this answer: what the client sends next may be the rest of a body that was not read.
pub(super) fn close(response: &mut Response<Full<Bytes>>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

/// A plain text answer.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_refusal_has_a_name_of_its_own_and_is_no_success() {
        let names: HashSet<&str> = Refusal::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
        assert!(Refusal::ALL.iter().all(|r| r.status().is_client_error() || r.status().is_server_error()));
    }

    #[test]
    fn basic_asks_for_credentials_and_busy_says_when_to_come_back() {
        let unauthorized = refused(Refusal::BasicWrong);
        assert_eq!(unauthorized.headers()[WWW_AUTHENTICATE], "Basic realm=\"mailtrail\"");
        assert!(!refused(Refusal::SignatureWrong).headers().contains_key(WWW_AUTHENTICATE));
        assert!(refused(Refusal::StoreFull).headers().contains_key(RETRY_AFTER));
    }
}
