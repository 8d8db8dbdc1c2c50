//! `[privacy]`: what happens to addresses and to what else could tell who somebody is.

use std::path::PathBuf;

/// `[privacy]`
#[derive(Debug, Clone)]
pub struct Privacy {
    /// How addresses become hashes.
    pub hash: HashMode,
    /// The current key file.
    pub key_file: PathBuf,
    /// Earlier key files; questions look under their hashes too.
    pub previous_key_files: Vec<PathBuf>,
    /// Keep the plain address in the column `email`. Never a default.
    pub keep_address: bool,
    /// Keep the address's domain in `email_domain`.
    pub email_domain: bool,
    /// What stays of a recipient's IP address.
    pub ip: IpPolicy,
    /// What stays of a URL.
    pub url: UrlPolicy,
    /// Whether the reader's user agent stays.
    pub useragent: Presence,
    /// Custom args whose values are dropped.
    pub drop_custom_args: Vec<String>,
}

/// `[privacy] hash`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashMode {
    /// HMAC-SHA256 under the key.
    HmacSha256,
    /// SHA-256 without a key: hides addresses only from people who have no list of them.
    Sha256,
}

/// `[privacy] ip`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpPolicy {
    /// IPv4 to /24, IPv6 to /48.
    Truncate,
    /// As sent.
    Keep,
    /// Not kept.
    Drop,
}

/// `[privacy] url`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlPolicy {
    /// Scheme, host and path; query keys with their values hidden.
    NoQuery,
    /// As sent, addresses redacted.
    Keep,
    /// Not kept.
    Drop,
}

/// Whether a value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// As sent, addresses redacted.
    Keep,
    /// Not kept.
    Drop,
}
