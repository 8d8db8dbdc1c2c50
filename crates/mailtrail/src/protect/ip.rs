//! IP addresses: whole where they are the sending server's, cut where they are a reader's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::IpPolicy;

/// The address as the policy lets it stay; `None`: not at all. What is no IP address is not kept for a reader.
pub(super) fn protect(ip: &str, event: &str, policy: IpPolicy) -> Option<String> {
    let of_server = matches!(event, "delivered" | "bounce" | "deferred");
    let parsed: Option<IpAddr> = ip.trim().parse().ok();
    match policy {
        _ if of_server => parsed.map(|_| ip.trim().to_owned()),
        IpPolicy::Keep => parsed.map(|_| ip.trim().to_owned()),
        IpPolicy::Drop => None,
        IpPolicy::Truncate => parsed.map(|ip| truncate(ip.to_canonical()).to_string()),
    }
}

/// To /24 and /48, the rest zero.
fn truncate(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_s_address_is_cut_and_a_server_s_is_not() {
        let cut = |ip| protect(ip, "open", IpPolicy::Truncate);
        assert_eq!(cut("203.0.113.77").as_deref(), Some("203.0.113.0"));
        assert_eq!(cut("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1::"));
        assert_eq!(cut("::ffff:203.0.113.77").as_deref(), Some("203.0.113.0"));
        assert_eq!(cut("jane@example.com"), None);
        assert_eq!(protect("203.0.113.77", "delivered", IpPolicy::Truncate).as_deref(), Some("203.0.113.77"));
        assert_eq!(protect("203.0.113.77", "click", IpPolicy::Keep).as_deref(), Some("203.0.113.77"));
        assert_eq!(protect("203.0.113.77", "click", IpPolicy::Drop), None);
    }
}
