//! Connections that never became a request: counted by cause, with a rate-limited warning that names the likely mistake.

use std::io;

/// What came instead of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionFault {
    /// A header of the PROXY protocol.
    ProxyProtocol,
    /// TLS, where plain HTTP is spoken.
    TlsOnPlainPort,
    /// Plain HTTP, where TLS is spoken.
    PlainOnTlsPort,
    /// HTTP/2 without negotiation.
    Http2,
    /// A head that is longer than allowed.
    HeadTooLarge,
    /// A head that is none of HTTP/1.1.
    HeadInvalid,
    /// A TLS handshake that failed.
    TlsHandshake,
}

impl ConnectionFault {
    /// All of them, so that each can be counted from the start.
    pub const ALL: [Self; 7] = [
        Self::ProxyProtocol,
        Self::TlsOnPlainPort,
        Self::PlainOnTlsPort,
        Self::Http2,
        Self::HeadTooLarge,
        Self::HeadInvalid,
        Self::TlsHandshake,
    ];

    /// The value of the metric label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProxyProtocol => "proxy_protocol",
            Self::TlsOnPlainPort => "tls_on_plain_port",
            Self::PlainOnTlsPort => "plain_on_tls_port",
            Self::Http2 => "http2",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadInvalid => "head_invalid",
            Self::TlsHandshake => "tls_handshake",
        }
    }

    /// What happened, and what to do if it is no stranger.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::ProxyProtocol => {
                "a connection began with a header of the PROXY protocol, which is not supported: switch it off in the load balancer \
                 and let it send X-Forwarded-For"
            }
            Self::TlsOnPlainPort => {
                "a connection began with TLS, but this port speaks plain HTTP: set [receive] tls_cert and tls_key, or let the proxy in \
                 front use http://"
            }
            Self::PlainOnTlsPort => {
                "a connection began with something else than TLS, but this port speaks HTTPS: use https:// in the Post URL, in health \
                 checks and in the proxy in front"
            }
            Self::Http2 => {
                "a connection began with HTTP/2, but only HTTP/1.1 is supported: set the proxy in front to HTTP/1.1 for this backend"
            }
            Self::HeadTooLarge => {
                "the head of a request was larger than 16 KiB: a proxy in front may add large headers; remove them for this path"
            }
            Self::HeadInvalid => {
                "a request's head was not valid HTTP/1.1, or its length was not clear: look at what the proxy in front sends"
            }
            Self::TlsHandshake => {
                "a TLS handshake failed: the client may not trust the certificate, or supports neither TLS 1.2 nor 1.3; mailtrail \
                 doctor examines the certificate"
            }
        }
    }

    /// By the first bytes, where plain HTTP is spoken.
    pub(super) fn of_first_bytes(first: &[u8]) -> Option<Self> {
        if is_proxy_protocol(first) {
            Some(Self::ProxyProtocol)
        } else if is_tls(first) {
            Some(Self::TlsOnPlainPort)
        } else if first.starts_with(b"PRI * HTTP/2") {
            Some(Self::Http2)
        } else {
            None
        }
    }

    /// By the first bytes, where TLS is spoken: `None` if it is TLS.
    pub(super) fn before_tls(first: &[u8]) -> Option<Self> {
        match first {
            _ if is_tls(first) => None,
            _ if is_proxy_protocol(first) => Some(Self::ProxyProtocol),
            _ => Some(Self::PlainOnTlsPort),
        }
    }

    /// Of a connection that the HTTP library gave up; `None` if its client went away or was too slow.
    pub(super) fn of_http(error: &hyper::Error, first: &[u8]) -> Option<Self> {
        if !error.is_parse() {
            return None;
        }
        Some(match Self::of_first_bytes(first) {
            Some(fault) => fault,
            None if error.is_parse_too_large() => Self::HeadTooLarge,
            None => Self::HeadInvalid,
        })
    }

    /// Counts it and warns.
    pub(super) fn report(self, detail: Option<&io::Error>) {
        let reason = self.as_str();
        metrics::counter!("mailtrail_refused_total", "reason" => reason).increment(1);
        crate::log::limited(reason, || match detail {
            Some(detail) => tracing::warn!(reason, "{} ({detail})", self.cause()),
            None => tracing::warn!(reason, "{}", self.cause()),
        });
    }
}

/// Version 1 is a line of text; version 2 begins with line breaks, which heads are kept without.
fn is_proxy_protocol(first: &[u8]) -> bool {
    let first = first.trim_ascii_start();
    first.starts_with(b"PROXY ") || first.starts_with(b"\0\r\nQUIT\n")
}

/// A handshake record of any version.
fn is_tls(first: &[u8]) -> bool {
    matches!(first, [0x16] | [0x16, 0x03, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_protocols_apart() {
        for (first, on_plain, on_tls) in [
            (
                &b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"[..],
                Some(ConnectionFault::ProxyProtocol),
                Some(ConnectionFault::ProxyProtocol),
            ),
            (b"\r\n\r\n\0\r\nQUIT\n!", Some(ConnectionFault::ProxyProtocol), Some(ConnectionFault::ProxyProtocol)),
            (b"\x16\x03\x01\x02\0", Some(ConnectionFault::TlsOnPlainPort), None),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Some(ConnectionFault::Http2), Some(ConnectionFault::PlainOnTlsPort)),
            (b"POST /event HTTP/1.1\r\n", None, Some(ConnectionFault::PlainOnTlsPort)),
            (b"", None, Some(ConnectionFault::PlainOnTlsPort)),
        ] {
            assert_eq!(ConnectionFault::of_first_bytes(first), on_plain, "{first:?}");
            assert_eq!(ConnectionFault::before_tls(first), on_tls, "{first:?}");
        }
    }
}
