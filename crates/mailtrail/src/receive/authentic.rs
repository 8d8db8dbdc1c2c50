//! A body that may be decoded, and what vouches for it.

use bytes::Bytes;
use http::HeaderValue;
use sendgrid_events::KeyId;

/// What vouches for a POST: the column `verified_by`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifiedBy {
    /// The signature held under this key.
    Key(KeyId),
    /// The signature held under a key configured for tests.
    Test,
    /// Basic credentials alone.
    Basic,
    /// SendGrid's own API told it, asked with our key.
    Api,
    /// It was imported from a file or another store, on the word of whoever did.
    Import,
    /// Nothing: the listener was told to accept that.
    Nothing,
}

impl VerifiedBy {
    /// What a stored column says; a value of no known form vouches for nothing.
    #[must_use]
    pub fn from_column(column: Option<&str>) -> Self {
        match column {
            Some("test") => VerifiedBy::Test,
            Some("basic") => VerifiedBy::Basic,
            Some("api") => VerifiedBy::Api,
            Some("import") => VerifiedBy::Import,
            Some(text) => KeyId::parse(text).map_or(VerifiedBy::Nothing, VerifiedBy::Key),
            None => VerifiedBy::Nothing,
        }
    }

    /// The column's value: a key id, `test`, `basic`, `api`, `import`, or null.
    #[must_use]
    pub fn as_column(&self) -> Option<&str> {
        match self {
            VerifiedBy::Key(id) => Some(id.as_str()),
            VerifiedBy::Test => Some("test"),
            VerifiedBy::Basic => Some("basic"),
            VerifiedBy::Api => Some("api"),
            VerifiedBy::Import => Some("import"),
            VerifiedBy::Nothing => None,
        }
    }
}

/// The headers that whoever checks the signature again needs beside the body, as they came.
#[derive(Clone, Default)]
pub struct ProofHeaders {
    /// `Content-Type`
    pub content_type: Option<HeaderValue>,
    /// SendGrid's signature.
    pub signature: Option<HeaderValue>,
    /// Its timestamp.
    pub timestamp: Option<HeaderValue>,
    /// Which mailtrails relayed it, if any did.
    pub hops: Option<HeaderValue>,
}

/// A body whose sender was checked as the configuration asks.
#[derive(Clone)]
pub struct Authentic {
    body: Bytes,
    headers: ProofHeaders,
    /// What vouches for it.
    pub verified_by: VerifiedBy,
    /// When it was received, µs since the epoch.
    pub received_at: i64,
}

impl Authentic {
    /// For `receive`, which checked the sender.
    pub(crate) fn new(body: Bytes, headers: ProofHeaders, verified_by: VerifiedBy, received_at: i64) -> Self {
        Self { body, headers, verified_by, received_at }
    }

    /// For `reconcile` alone: events that SendGrid's Email Logs told, over HTTPS and for our key, in the webhook's shape.
    pub(crate) fn of_api(body: String, received_at: i64) -> Self {
        Self { body: body.into(), headers: ProofHeaders::default(), verified_by: VerifiedBy::Api, received_at }
    }

    /// For `import` alone: events in the webhook's shape that somebody else kept.
    pub(crate) fn of_import(bytes: Vec<u8>, received_at: i64) -> Self {
        Self { body: bytes.into(), headers: ProofHeaders::default(), verified_by: VerifiedBy::Import, received_at }
    }

    /// For the quarantine, which kept it with what vouched for it, and for tests.
    #[must_use]
    pub fn from_quarantine(bytes: Vec<u8>, verified_by: VerifiedBy, received_at: i64) -> Self {
        Self { body: bytes.into(), headers: ProofHeaders::default(), verified_by, received_at }
    }

    /// The headers it came with; none where it did not come by the listener.
    #[must_use]
    pub fn headers(&self) -> &ProofHeaders {
        &self.headers
    }

    /// The body as received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }
}
