//! Networks and addresses as Python's `ipaddress` has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::facts::interfaces::network;

/// A network: its first address, and how many bits of it are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Net {
    pub(super) first: IpAddr,
    pub(super) prefix: u32,
}

pub(super) fn bits(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

impl Net {
    /// `10.0.0.0/8`, `10.0.0.0/255.0.0.0` or an address alone; host bits are cut unless `strict`.
    pub(super) fn parse(text: &str, strict: bool) -> Option<Net> {
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, mask)| (ip, Some(mask)));
        let ip: IpAddr = ip.parse().ok()?;
        let prefix = match prefix {
            None => bits(ip),
            Some(digits) if digits.chars().all(|c| c.is_ascii_digit()) => digits.parse().ok()?,
            Some(mask) => {
                let mask = u32::from(mask.parse::<Ipv4Addr>().ok().filter(|_| ip.is_ipv4())?);
                let ones = mask.leading_ones();
                // A host mask, 0.0.0.255, means the same as its netmask.
                if mask.count_ones() == ones { ones } else { (!mask).leading_ones() }
            }
        };
        let first = network(ip, prefix);
        (prefix <= bits(ip) && (!strict || first == ip)).then_some(Net { first, prefix })
    }

    pub(super) fn has(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.first.is_ipv4() && network(ip, self.prefix) == self.first
    }

    pub(super) fn mask(&self) -> IpAddr {
        let all = match self.first {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::MAX)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(u128::MAX)),
        };
        network(all, self.prefix)
    }

    /// The last address.
    pub(super) fn last(&self) -> IpAddr {
        let free = bits(self.first) - self.prefix;
        match self.first {
            IpAddr::V4(ip) => {
                IpAddr::V4(Ipv4Addr::from(u32::from(ip) | !u32::MAX.checked_shl(free).unwrap_or(0)))
            }
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(
                u128::from(ip) | !u128::MAX.checked_shl(free).unwrap_or(0),
            )),
        }
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// What the registries of IANA do not call global, as Python has it since 3.12.
const PRIVATE: [&str; 24] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
];
/// What is global all the same.
const GLOBAL: [&str; 8] = [
    "192.0.0.9/32",
    "192.0.0.10/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:20::/28",
    "2001:30::/28",
];

/// Python's `is_private`.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    let within =
        |nets: &[&str]| nets.iter().filter_map(|net| Net::parse(net, true)).any(|net| net.has(ip));
    within(&PRIVATE) && !within(&GLOBAL)
}

/// The name under which an address is looked up: `4.3.2.1.in-addr.arpa`.
pub(super) fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let digits: String = ip.octets().iter().map(|byte| format!("{byte:02x}")).collect();
            let back: Vec<String> = digits.chars().rev().map(|digit| digit.to_string()).collect();
            format!("{}.ip6.arpa", back.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_as_python_has_them() {
        let net = Net::parse("10.1.2.3/255.255.0.0", false).unwrap();
        assert_eq!(
            (net.to_string(), net.last().to_string()),
            ("10.1.0.0/16".into(), "10.1.255.255".into())
        );
        assert_eq!(net.mask().to_string(), "255.255.0.0");
        assert!(net.has("10.1.9.9".parse().unwrap()) && !net.has("10.2.0.0".parse().unwrap()));
        assert_eq!(Net::parse("10.1.2.3/8", true), None);
        assert_eq!(Net::parse("10.0.0.0/33", false), None);
        assert!(
            is_private("192.168.1.1".parse().unwrap()) && !is_private("8.8.8.8".parse().unwrap())
        );
        assert_eq!(reverse("1.2.3.4".parse().unwrap()), "4.3.2.1.in-addr.arpa");
    }
}
