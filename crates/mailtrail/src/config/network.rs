//! Addresses and networks of proxies, such as `10.0.0.2` and `35.191.0.0/16`.

use std::net::IpAddr;

use super::reader::Reader;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    /// How many of the 128 bits count; those of IPv4 follow the prefix of IPv4-mapped addresses.
    prefix: u32,
}

impl Network {
    /// Reads an address, or an address and a prefix length. `None` if it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) if length.bytes().all(|b| b.is_ascii_digit()) => length.parse().ok()?,
            Some(_) => return None,
            None => width,
        };
        (length <= width).then(|| Self { bits: bits(address), prefix: 128 - width + length })
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let different = self.bits ^ bits(address);
        different.checked_shr(128 - self.prefix).unwrap_or(0) == 0
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The list at `key`.
pub(super) fn networks(reader: &mut Reader<'_>, key: &str) -> Vec<Network> {
    let mut networks = Vec::new();
    for text in reader.texts(key) {
        match Network::parse(&text) {
            Some(network) => networks.push(network),
            None => reader.problem(key, "must be IP addresses or networks, such as [\"10.0.0.2\", \"35.191.0.0/16\"]"),
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_addresses_with_or_without_a_prefix() {
        for (network, inside, outside) in [
            ("10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("35.191.0.0/16", "35.191.255.1", "35.192.0.1"),
            ("10.0.0.2/32", "::ffff:10.0.0.2", "::10.0.0.2"),
            ("2001:db8::/32", "2001:db8:9::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network}");
        }
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
        assert!(!Network::parse("0.0.0.0/0").unwrap().contains("2001:db8::1".parse().unwrap()));
        assert!(Network::parse("::/0").unwrap().contains("203.0.113.9".parse().unwrap()));
        for text in ["", "proxy", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "2001:db8::/129", "10.0.0.0/8/8"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
