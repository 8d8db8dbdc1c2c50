//! Where events are posted to: SendGrid's "Post URL", with its Basic credentials in it.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// A Post URL. Shown (`Display`, `Debug`) without credentials and query.
#[derive(Clone)]
pub struct Target(Url);

/// Why a text is no Post URL. Never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not a URL.
    #[error(
        "the Post URL is not a URL (expected like https://user:password@host/event; special characters percent-encoded)"
    )]
    NotAUrl,
    /// Another scheme, or no host.
    #[error("the Post URL must start with http:// or https:// and name a host")]
    NotHttp,
}

impl Target {
    /// Reads a Post URL.
    ///
    /// # Errors
    /// When it is no URL, or not of HTTP.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text.trim()).map_err(|_| TargetError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(TargetError::NotHttp);
        }
        Ok(Self(url))
    }

    /// With other Basic credentials than those in the URL.
    ///
    /// # Errors
    /// When the URL can have none.
    pub fn with_credentials(mut self, user: &str, password: &str) -> Result<Self, TargetError> {
        self.0.set_username(user).map_err(|()| TargetError::NotHttp)?;
        self.0.set_password(Some(password)).map_err(|()| TargetError::NotHttp)?;
        Ok(self)
    }

    /// Whether it has Basic credentials.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    /// Whether the host is this machine, by name or address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether it is HTTPS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// With its credentials: for the HTTP client, which takes them out of the URL, and never for messages.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let url = "https://sendgrid:s3cr%3At@hooks.example.org:8443/event?token=t0ken";
        let target = Target::parse(url).expect("a Post URL");
        assert_eq!(target.to_string(), "https://hooks.example.org:8443/event");
        assert_eq!(format!("{target:?}"), "Target(https://hooks.example.org:8443/event)");
        assert!(target.has_credentials() && target.is_https() && !target.is_loopback());
        for wrong in ["http://user:s3cret@", "ftp://user:s3cret@host/", "user:s3cret@host", "http://u:s3cret@ho st/"] {
            let error = Target::parse(wrong).expect_err(wrong);
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }

    #[test]
    fn this_machine_by_name_or_address() {
        for (url, loopback) in [
            ("http://127.0.0.1:8080/event", true),
            ("http://127.9.9.9/event", true),
            ("http://[::1]:8080/event", true),
            ("http://localhost/event", true),
            ("http://localhost.example.org/event", false),
            ("http://192.0.2.1/event", false),
            ("http://127.0.0.1@192.0.2.1/event", false),
        ] {
            assert_eq!(Target::parse(url).expect(url).is_loopback(), loopback, "{url}");
        }
    }
}
