//! The Post URL: where SendGrid posts events, and the credentials in it, apart from each other.

use std::fmt;

use reqwest::Url;

use crate::config::BasicCredential;

/// A Post URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostUrl(Url);

/// Why a text is no Post URL. Says nothing of it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Post URL must be like https://events.example.com/event, without user and password (http:// on loopback alone)"
)]
pub struct PostUrlError;

impl PostUrl {
    /// Reads a URL that people give.
    ///
    /// # Errors
    /// When SendGrid could not post there safely, or credentials are in it.
    pub fn parse(text: &str) -> Result<Self, PostUrlError> {
        let url = Url::parse(text.trim()).map_err(|_| PostUrlError)?;
        let safe = url.scheme() == "https" || (url.scheme() == "http" && crate::config::sendgrid::is_loopback(&url));
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if safe && bare && url.has_host() { Ok(Self(url)) } else { Err(PostUrlError) }
    }

    /// Takes a URL that SendGrid has apart.
    #[must_use]
    pub fn split(text: &str) -> Option<(Self, Option<BasicCredential>)> {
        let mut url = Url::parse(text).ok()?;
        let decoded = |text: &str| decode(text);
        let credential = match url.password() {
            Some(password) => BasicCredential::parse(&format!("{}:{}", decoded(url.username()), decoded(password))),
            None => None,
        };
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some((Self(url), credential))
    }

    /// With credentials, percent-encoded where they must be.
    #[must_use]
    pub fn with(&self, credential: &BasicCredential) -> Url {
        let mut url = self.0.clone();
        if let Some((user, password)) = credential.expose().split_once(':') {
            // What sets them encodes all but a percent sign, which might have begun an escape. A URL with a host can have both.
            let plain = |text: &str| text.replace('%', "%25");
            let _set = url.set_username(&plain(user)).and_then(|()| url.set_password(Some(&plain(password))));
        }
        url
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for PostUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query may be a secret.
        let mut shown = self.0.clone();
        shown.set_query(None);
        f.write_str(shown.as_str())
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match escaped.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_that_are_taken_and_that_are_not() {
        for (text, taken) in [
            ("https://events.example.com/event", true),
            ("http://127.0.0.1:8080/event", true),
            ("http://events.example.com/event", false),
            ("https://user:secret@events.example.com/event", false),
            ("events.example.com", false),
            ("ftp://127.0.0.1/", false),
        ] {
            assert_eq!(PostUrl::parse(text).is_ok(), taken, "{text}");
        }
    }

    proptest! {
        #[test]
        fn credentials_come_back_as_they_went(user in "[!-9;-~]{1,8}", password in "[ -~é]{1,12}") {
            let given = format!("{user}:{password}");
            let url = PostUrl::parse("https://events.example.com/event").expect("a URL");
            let credential = BasicCredential::parse(&given).expect("both");
            let (bare, back) = PostUrl::split(url.with(&credential).as_str()).expect("a URL");
            prop_assert_eq!(&bare, &url);
            let back = back.expect("there");
            prop_assert_eq!(back.expose(), given);
            prop_assert!(!bare.to_string().contains('@'));
        }
    }
}
