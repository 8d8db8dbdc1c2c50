//! The configuration: one struct a section, validated when loaded, so that the rooms get values they need not check.

pub mod privacy;
pub mod receive;
pub mod store;

pub use privacy::{HashMode, IpPolicy, Presence, Privacy, UrlPolicy};
pub use receive::{BasicCredential, Receive, SignatureMode, TlsFiles};
pub use store::Store;

use std::net::SocketAddr;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[receive]`
    pub receive: Receive,
    /// `[privacy]`
    pub privacy: Privacy,
    /// `[store]`
    pub store: Store,
    /// `[metrics] listen`; `None` where switched off.
    pub metrics_listen: Option<SocketAddr>,
}
