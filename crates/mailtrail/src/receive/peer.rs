//! Which client a connection or request belongs to, for limits by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use hyper::header::HeaderMap;

use crate::config::Network;

/// So many proxies of a chain are looked at.
const LONGEST_CHAIN: usize = 16;

/// A client as limits see it: an IPv4 address, or the first 64 bits of an IPv6 address, since one host has all of a /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let prefix = u128::from(v6) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(prefix))
            }
            v4 => v4,
        })
    }
}

/// Whose addresses can be believed.
#[derive(Debug, Clone)]
pub(crate) struct Proxies {
    trusted: Vec<Network>,
    behind_proxy: bool,
}

impl Proxies {
    pub(crate) fn new(trusted: &[Network], behind_proxy: bool) -> Self {
        Self { trusted: trusted.to_vec(), behind_proxy }
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The client that a connection is from. `None` if it comes, or may come, from a proxy, which has many clients: a peer on
    /// this machine is one in all likelihood, whether `behind_proxy` is set or not.
    pub(crate) fn peer(&self, address: IpAddr) -> Option<Peer> {
        let address = address.to_canonical();
        let may_be_proxy = self.behind_proxy || address.is_loopback() || self.trusts(address);
        (!may_be_proxy).then(|| Peer::of(address))
    }

    /// The client that a request is from: the last address of X-Forwarded-For that no trusted proxy has, if a trusted proxy
    /// brought the request. `None` if that is not known.
    pub(crate) fn client(&self, address: IpAddr, headers: &HeaderMap) -> Option<Peer> {
        if !self.trusts(address) {
            return self.peer(address);
        }
        let values = headers.get_all("x-forwarded-for").into_iter().rev();
        let hops = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.rsplit(','));
        for hop in hops.take(LONGEST_CHAIN) {
            let hop = address_of(hop.trim())?;
            if !self.trusts(hop) {
                return Some(Peer::of(hop));
            }
        }
        None
    }
}

/// An address with or without a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(inner, _)| inner);
    bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

/// How long a verified POST vouches for its address.
const VOUCHES_FOR: Duration = Duration::from_secs(3600);
/// A newer time is not noted again for so long.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// SendGrid posts from few addresses.
const MOST: usize = 1024;

/// Addresses from which a verified POST came lately. Of fixed size, and nobody else can fill it.
#[derive(Debug, Default)]
pub(crate) struct VerifiedPeers(RwLock<HashMap<Peer, Instant>>);

impl VerifiedPeers {
    pub(crate) fn contains(&self, peer: Peer) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&peer).is_some_and(|at| at.elapsed() < VOUCHES_FOR)
    }

    pub(crate) fn note(&self, peer: Peer) {
        let is_fresh = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&peer).is_some_and(|at| at.elapsed() < NOTE_EVERY)
        };
        if is_fresh {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&peer) {
            known.retain(|_, at| at.elapsed() < VOUCHES_FOR);
            let oldest = known.iter().min_by_key(|(_, at)| **at).map(|(peer, _)| *peer);
            if let Some(oldest) = oldest.filter(|_| known.len() >= MOST) {
                known.remove(&oldest);
            }
        }
        known.insert(peer, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer::of(ip(text)))
    }

    #[test]
    fn an_ipv6_client_is_its_first_64_bits() {
        assert_eq!(Peer::of(ip("2001:db8::1")), Peer::of(ip("2001:db8::ffff:1")));
        assert_ne!(Peer::of(ip("2001:db8::1")), Peer::of(ip("2001:db8:0:1::1")));
        assert_eq!(Peer::of(ip("::ffff:203.0.113.9")), Peer::of(ip("203.0.113.9")));
    }

    #[test]
    fn the_client_behind_a_proxy_is_known_only_if_the_proxy_is_trusted() {
        let trusted = [Network::parse("10.0.0.0/8").unwrap()];
        let direct = Proxies::new(&[], false);
        let behind = Proxies::new(&[], true);
        let trusting = Proxies::new(&trusted, true);
        let client = |proxies: &Proxies, from: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            proxies.client(ip(from), &headers)
        };
        assert_eq!(
            client(&direct, "203.0.113.9", &["198.51.100.1"]),
            peer("203.0.113.9"),
            "anybody can send the header"
        );
        assert_eq!(client(&direct, "127.0.0.1", &[]), None, "a proxy on this machine");
        assert_eq!(client(&behind, "203.0.113.9", &["198.51.100.1"]), None);
        assert_eq!(client(&trusting, "203.0.113.9", &["198.51.100.1"]), None);
        for (forwarded, expected) in [
            (&["198.51.100.1"][..], peer("198.51.100.1")),
            (&["6.6.6.6, 198.51.100.1"], peer("198.51.100.1")),
            (&["6.6.6.6", "198.51.100.1, 10.0.0.9"], peer("198.51.100.1")),
            (&["198.51.100.1:4711"], peer("198.51.100.1")),
            (&["[2001:db8::1]:4711"], peer("2001:db8::1")),
            (&["2001:db8::1"], peer("2001:db8::1")),
            (&["6.6.6.6, unknown"], None),
            (&["10.0.0.9"], None),
            (&[], None),
        ] {
            assert_eq!(client(&trusting, "10.0.0.2", forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn the_table_of_verified_addresses_has_a_fixed_size() {
        let verified = VerifiedPeers::default();
        for n in 0..u32::try_from(MOST).unwrap() + 10 {
            verified.note(Peer::of(IpAddr::V4(n.into())));
        }
        assert_eq!(verified.0.read().unwrap().len(), MOST);
        assert!(verified.contains(Peer::of(IpAddr::V4((u32::try_from(MOST).unwrap() + 9).into()))));
        assert!(!verified.contains(Peer::of(ip("203.0.113.9"))));
    }
}
