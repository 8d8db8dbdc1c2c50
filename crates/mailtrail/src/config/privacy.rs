//! `[privacy]`: what happens to addresses and to what else could tell who somebody is.

use std::path::PathBuf;

use super::reader::Reader;

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

/// Beside the configuration.
const KEY_FILE: &str = "mailtrail.key";

/// As where `[privacy]` says nothing.
impl Default for Privacy {
    fn default() -> Self {
        Self {
            hash: HashMode::HmacSha256,
            key_file: KEY_FILE.into(),
            previous_key_files: Vec::new(),
            keep_address: false,
            email_domain: true,
            ip: IpPolicy::Truncate,
            url: UrlPolicy::NoQuery,
            useragent: Presence::Keep,
            drop_custom_args: Vec::new(),
        }
    }
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

pub(super) fn read(reader: &mut Reader<'_>) -> Privacy {
    let default = Privacy::default();
    let hash = reader
        .choice("privacy.hash", &[("hmac-sha256", HashMode::HmacSha256), ("sha256", HashMode::Sha256)])
        .unwrap_or(default.hash);
    if hash == HashMode::Sha256 {
        reader.warn("privacy.hash", "\"sha256\" hides addresses only from people who have no list of them");
    }
    let keep_address = reader.boolean("privacy.keep_address", default.keep_address);
    if keep_address {
        reader.warn("privacy.keep_address", "is on: plain addresses are stored");
    }
    let key_file = reader.path_or("privacy.key_file", KEY_FILE);
    let previous_key_files = reader.paths("privacy.previous_key_files");
    if previous_key_files.contains(&key_file) {
        reader.problem("privacy.previous_key_files", "names the current key_file: an earlier key must be another file");
    }
    let ips = [("truncate", IpPolicy::Truncate), ("keep", IpPolicy::Keep), ("drop", IpPolicy::Drop)];
    let urls = [("no-query", UrlPolicy::NoQuery), ("keep", UrlPolicy::Keep), ("drop", UrlPolicy::Drop)];
    let url = reader.choice("privacy.url", &urls).unwrap_or(default.url);
    if url == UrlPolicy::Keep {
        reader.warn("privacy.url", "\"keep\" stores links whole, and with them tokens that log people in");
    }
    Privacy {
        hash,
        key_file,
        previous_key_files,
        keep_address,
        email_domain: reader.boolean("privacy.email_domain", default.email_domain),
        ip: reader.choice("privacy.ip", &ips).unwrap_or(default.ip),
        url,
        useragent: reader
            .choice("privacy.useragent", &[("keep", Presence::Keep), ("drop", Presence::Drop)])
            .unwrap_or(default.useragent),
        drop_custom_args: reader.texts("privacy.drop_custom_args").iter().map(|name| name.to_string()).collect(),
    }
}
