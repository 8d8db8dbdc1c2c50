//! `[receive]`: the public listener, who may post, and its limits.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sendgrid_events::PublicKey;
use zeroize::Zeroizing;

use super::network::Network;

/// `[receive]`
#[derive(Debug, Clone)]
pub struct Receive {
    /// Address of the public listener.
    pub listen: SocketAddr,
    /// Path of the webhook.
    pub path: String,
    /// Credentials that are accepted; several while one is being replaced.
    pub basic_auth: Vec<BasicCredential>,
    /// Webhook keys that are accepted; several while one is being replaced.
    pub public_keys: Vec<PublicKey>,
    /// Keys of `trigger` and other own senders: what they sign is stored as `verified_by = "test"`.
    pub test_public_keys: Vec<PublicKey>,
    /// What a missing or wrong signature means.
    pub signature: SignatureMode,
    /// Oldest accepted signature time; SendGrid retries for 24 hours and may not sign anew.
    pub max_age: Duration,
    /// How far ahead of our clock a signature time may be.
    pub max_ahead: Duration,
    /// Largest accepted body, bytes.
    pub max_body: usize,
    /// All bodies in memory at once, bytes; beyond it 503.
    pub memory_budget: usize,
    /// Connections at once; beyond it, the one without progress for longest is closed.
    pub max_connections: usize,
    /// A request's head must be complete within this.
    pub header_timeout: Duration,
    /// A request's body must be complete within this.
    pub body_timeout: Duration,
    /// An idle connection is closed after this.
    pub idle_timeout: Duration,
    /// A commit that takes longer is answered 503; SendGrid repeats.
    pub answer_timeout: Duration,
    /// HTTPS in the process; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether a proxy in front speaks TLS, so that plain HTTP beyond loopback is meant.
    pub behind_proxy: bool,
    /// Proxies whose X-Forwarded-For is believed, for limits by address.
    pub trusted_proxies: Vec<Network>,
    /// Accept unauthenticated posts, on loopback only.
    pub insecure_no_auth: bool,
}

/// Certificate chain and private key, PEM; re-read when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// `[receive] signature`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureMode {
    /// A missing or wrong signature is refused.
    Enforce,
    /// Checked, logged and counted, but accepted.
    Observe,
    /// Not looked at.
    Off,
}

/// A user name and password of HTTP Basic authentication.
#[derive(Clone)]
pub struct BasicCredential(Zeroizing<String>);

impl BasicCredential {
    /// Reads `user:password`; the password may hold colons.
    ///
    /// Returns `None` where there is no colon or an empty user or password.
    #[must_use]
    pub fn parse(user_password: &str) -> Option<Self> {
        let (user, password) = user_password.split_once(':')?;
        (!user.is_empty() && !password.is_empty()).then(|| Self(Zeroizing::new(user_password.to_owned())))
    }

    /// `user:password`, for comparing in constant time and for the one place that shows it (`init`).
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BasicCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicCredential(..)")
    }
}
