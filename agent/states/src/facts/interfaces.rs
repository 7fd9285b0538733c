//! The host's network interfaces and their addresses, as `ip address` tells of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::net::if_::InterfaceFlags;

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) prefix: u32,
    pub(crate) broadcast: Option<Ipv4Addr>,
    /// Of a network that an earlier address is of already.
    pub(crate) secondary: bool,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) up: bool,
    pub(crate) parent: Option<String>,
    pub(crate) hardware: Option<String>,
    pub(crate) addresses: Vec<Address>,
}

/// All interfaces, in the kernel's order.
pub(crate) fn interfaces() -> Vec<Interface> {
    let Ok(found) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let mut all: Vec<Interface> = Vec::new();
    for entry in found {
        let at = all.iter().position(|known| known.name == entry.interface_name);
        let at = at.unwrap_or_else(|| {
            all.push(Interface {
                up: entry.flags.contains(InterfaceFlags::IFF_UP),
                parent: None,
                hardware: of_link(&entry.interface_name, "address"),
                addresses: Vec::new(),
                name: entry.interface_name.clone(),
            });
            all.len() - 1
        });
        if let Some(address) = address(&entry) {
            let earlier = &all[at].addresses;
            let secondary = address.ip.is_ipv4()
                && earlier.iter().any(|own| {
                    own.prefix == address.prefix
                        && network(own.ip, own.prefix) == network(address.ip, address.prefix)
                });
            all[at].addresses.push(Address { secondary, ..address });
        }
    }
    parents(&mut all);
    all
}

fn address(entry: &nix::ifaddrs::InterfaceAddress) -> Option<Address> {
    let storage = entry.address.as_ref()?;
    let four = storage.as_sockaddr_in().map(|found| IpAddr::V4(found.ip()));
    let ip = four.or_else(|| storage.as_sockaddr_in6().map(|found| IpAddr::V6(found.ip())))?;
    let mask = entry.netmask.as_ref();
    let prefix = match ip {
        IpAddr::V4(_) => {
            let mask = mask.and_then(|mask| mask.as_sockaddr_in());
            mask.map_or(32, |mask| u32::from(mask.ip()).count_ones())
        }
        IpAddr::V6(_) => {
            let mask = mask.and_then(|mask| mask.as_sockaddr_in6());
            mask.map_or(128, |mask| u128::from(mask.ip()).count_ones())
        }
    };
    let broadcasts = entry.flags.contains(InterfaceFlags::IFF_BROADCAST);
    let broadcast = entry.broadcast.as_ref().and_then(|address| address.as_sockaddr_in());
    let broadcast = broadcast.map(|found| found.ip()).filter(|_| broadcasts);
    Some(Address { ip, prefix, broadcast, secondary: false })
}

/// What the kernel tells of an interface in `/sys`.
fn of_link(name: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/{key}")).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `eth0@if5`: the interface that this one is a face of.
fn parents(all: &mut [Interface]) {
    let index = |name: &str| of_link(name, "ifindex");
    let names: BTreeMap<String, String> =
        all.iter().filter_map(|one| Some((index(&one.name)?, one.name.clone()))).collect();
    for one in all {
        let (Some(own), Some(link)) = (index(&one.name), of_link(&one.name, "iflink")) else {
            continue;
        };
        if link == "0" {
            one.parent = Some("NONE".to_owned());
        } else if link != own {
            one.parent = Some(names.get(&link).cloned().unwrap_or_else(|| format!("if{link}")));
        }
    }
}

/// The network that an address is in.
pub(crate) fn network(ip: IpAddr, prefix: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let all = interfaces();
        let lo = all.iter().find(|one| one.name == "lo").unwrap();
        assert!(lo.addresses.iter().any(|own| own.ip.is_loopback() && own.prefix == 8));
        assert_eq!(network("10.1.2.3".parse().unwrap(), 8).to_string(), "10.0.0.0");
        assert_eq!(network("fd00::1".parse().unwrap(), 0).to_string(), "::");
    }
}
