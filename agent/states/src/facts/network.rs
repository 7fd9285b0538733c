//! Facts of the network: addresses by interface, and all of them by family.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::Facts;
use crate::host::Host;

/// Addresses of one interface, by family.
type Found = (Vec<String>, Vec<String>);

pub(super) fn collect(host: &Host, facts: &mut Facts) {
    let mut all: BTreeMap<String, Found> = BTreeMap::new();
    for (name, address) in addresses() {
        let (four, six) = all.entry(name).or_default();
        match address {
            IpAddr::V4(address) => four.push(address.to_string()),
            IpAddr::V6(address) => six.push(address.to_string()),
        }
    }
    let by = |pick: &dyn Fn(&Found) -> Vec<String>| -> Map<String, Value> {
        all.iter().map(|(name, found)| (name.clone(), Value::from(pick(found)))).collect()
    };
    facts.set("ip4_interfaces", by(&|(four, _)| four.clone()));
    facts.set("ip6_interfaces", by(&|(_, six)| six.clone()));
    facts.set("ip_interfaces", by(&|(four, six)| [four.clone(), six.clone()].concat()));
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list.dedup();
        list
    };
    facts.set("ipv4", sorted(all.values().flat_map(|(four, _)| four.clone()).collect()));
    facts.set("ipv6", sorted(all.values().flat_map(|(_, six)| six.clone()).collect()));
    facts.set("hwaddr_interfaces", hardware(all.keys()));
    dns(host, facts);
}

fn addresses() -> Vec<(String, IpAddr)> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let storage = interface.address?;
        let four = storage.as_sockaddr_in().map(|found| IpAddr::V4(found.ip()));
        let six = storage.as_sockaddr_in6().map(|found| IpAddr::V6(found.ip()));
        Some((interface.interface_name, four.or(six)?))
    };
    interfaces.filter_map(address).collect()
}

fn hardware<'a>(names: impl Iterator<Item = &'a String>) -> Map<String, Value> {
    let read = |name: &String| {
        let text = std::fs::read_to_string(format!("/sys/class/net/{name}/address")).ok()?;
        Some((name.clone(), Value::from(text.trim())))
    };
    names.filter_map(read).collect()
}

fn dns(host: &Host, facts: &mut Facts) {
    let text = host.read_text("/etc/resolv.conf").unwrap_or_default();
    let words = |key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key));
        lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    let dns: Map<String, Value> = [
        ("nameservers".to_owned(), Value::from(words("nameserver "))),
        ("search".to_owned(), Value::from(words("search "))),
    ]
    .into_iter()
    .collect();
    facts.set("dns", dns);
}
