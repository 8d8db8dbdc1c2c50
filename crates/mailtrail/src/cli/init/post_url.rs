//! The Post URL: what people paste into SendGrid.

use std::fmt;

/// Scheme and authority of the public address, and the path of the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicUrl {
    scheme: &'static str,
    host: String,
    /// Path of the webhook.
    pub(super) path: String,
}

impl PublicUrl {
    /// Reads `https://host[:port][/path]`; plain `http` only for this machine.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let told = |why: &str| format!("--url {url:?}: {why}; write it like https://events.example.com");
        let (scheme, rest) = url.split_once("://").ok_or_else(|| told("no https:// in front"))?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if host.contains('@') {
            // Not repeated: what stands there is a password.
            return Err("--url: leave user and password out; init makes them".into());
        }
        let host_ok = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
        if !host_ok {
            return Err(told("that is no host name"));
        }
        let local = host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]");
        let scheme = match scheme {
            "https" => "https",
            "http" if local => "http",
            _ => return Err(told("SendGrid must come by https, since the password travels along")),
        };
        if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b)) {
            return Err(told("the path must be plain, without ? and #"));
        }
        let path = if matches!(path, "" | "/") { "/event" } else { path };
        Ok(Self { scheme, host: host.to_owned(), path: path.to_owned() })
    }

    /// With credentials in it.
    pub(super) fn with(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@{}{}", self.scheme, self.host, self.path)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let cases = [
            ("https://events.example.com", Some("https://u:p@events.example.com/event")),
            ("https://events.example.com/", Some("https://u:p@events.example.com/event")),
            ("https://events.example.com:8443/hooks/x", Some("https://u:p@events.example.com:8443/hooks/x")),
            ("http://localhost:8080", Some("http://u:p@localhost:8080/event")),
            ("http://events.example.com", None),
            ("events.example.com", None),
            ("https://", None),
            ("https://a:secret@events.example.com", None),
            ("https://events.example.com/x?y=1", None),
            ("https://exa mple.com", None),
            ("ftp://events.example.com", None),
        ];
        for (url, expected) in cases {
            let read = PublicUrl::parse(url).map(|url| url.with("u", "p"));
            assert_eq!(read.as_deref().ok(), expected, "{url}");
            assert!(!read.is_err_and(|told| told.contains("secret")));
        }
    }
}
