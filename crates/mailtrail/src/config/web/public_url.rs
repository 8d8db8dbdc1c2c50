//! `[web] public_url`: where people find the page.

use std::fmt;

/// Scheme and host, with a port where it is not the scheme's own; no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    https: bool,
    /// As in the header `Host`, lower case.
    host: String,
}

impl PublicUrl {
    /// Reads `https://host[:port]`; `None` where it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
        let (https, host) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(host), _) => (true, host),
            (None, Some(host)) => (false, host),
            (None, None) => return None,
        };
        let of_a_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'[' | b']');
        if host.is_empty() || !host.bytes().all(of_a_host) {
            return None;
        }
        let own_port = if https { ":443" } else { ":80" };
        Some(Self { https, host: host.strip_suffix(own_port).unwrap_or(host).to_owned() })
    }

    /// Whether browsers come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// As browsers say it in `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_host_and_nothing_else() {
        for (text, expected) in [
            ("https://mail.example.com", Some("https://mail.example.com")),
            ("https://Mail.example.com/", Some("https://mail.example.com")),
            ("https://mail.example.com:443", Some("https://mail.example.com")),
            ("http://127.0.0.1:8081", Some("http://127.0.0.1:8081")),
            ("https://[::1]:8443", Some("https://[::1]:8443")),
            ("mail.example.com", None),
            ("https://", None),
            ("https://mail.example.com/path", None),
            ("https://user@mail.example.com", None),
            ("javascript://x", None),
        ] {
            assert_eq!(PublicUrl::parse(text).map(|url| url.to_string()).as_deref(), expected, "{text}");
        }
    }
}
