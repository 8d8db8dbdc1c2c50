//! `[metrics]`: the listener for Prometheus.

use std::net::{Ipv4Addr, SocketAddr};

use super::reader::Reader;

/// Where metrics are served; `None` where switched off.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let key = "metrics.listen";
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 9090));
    if !reader.is_set(key) {
        return Some(default);
    }
    if reader.text(key)? == "off" {
        return None;
    }
    let listen = reader.address(key)?;
    if !listen.ip().is_loopback() {
        reader.warn(key, format!("{listen} can be reached from other machines, and metrics ask for no password"));
    }
    Some(listen)
}
