//! URLs that notices are posted to. Whoever knows such a URL can post there, so it is never shown.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

/// A URL to post to: https, or http on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl(Url);

impl HookUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, for people, without the text itself.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url: Url = text.parse().map_err(|_| "is not a URL, such as https://hooks.example.com/…")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user or password in it, which would be sent along: remove them");
        }
        // What every part of a request may hold; a URL that fits is sent as it is.
        if HeaderValue::from_str(url.as_str()).is_err() {
            return Err("holds characters that no URL has");
        }
        let this = Self(url);
        match this.0.scheme() {
            "https" => Ok(this),
            "http" if this.is_loopback() => Ok(this),
            _ => Err("must begin with https:// (http:// only on this machine): what is posted says how mail went"),
        }
    }

    /// Its server, which is no secret: `hooks.slack.com`, with the port where it is not the usual one.
    #[must_use]
    pub fn server(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The URL, for whoever posts.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether it leads to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host_str() {
            Some("localhost") => true,
            Some(host) => {
                host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => false,
        }
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookUrl(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_or_this_machine() {
        for good in
            ["https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:1/x", "http://[::1]/", "http://localhost:8/"]
        {
            assert!(HookUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "hooks.slack.com",
            "http://hooks.slack.com/x",
            "ftp://127.0.0.1/",
            "https://a:b@c.example/",
            "file:///x",
        ] {
            assert!(HookUrl::parse(bad).is_err(), "{bad}");
        }
        let url = HookUrl::parse("https://hooks.slack.com/services/secret").expect("good");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
