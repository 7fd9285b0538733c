//! Facts of the network: addresses by interface and by family, names, gateways.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::Facts;
use super::interfaces::{Address, Interface, interfaces};
use crate::host::Host;

pub(super) fn collect(host: &Host, facts: &mut Facts) {
    let all = interfaces();
    let texts = |one: &Interface, keep: &dyn Fn(&Address) -> bool| -> Vec<String> {
        one.addresses.iter().filter(|own| keep(own)).map(|own| own.ip.to_string()).collect()
    };
    let by = |keep: &dyn Fn(&Address) -> bool| -> Map<String, Value> {
        all.iter().map(|one| (one.name.clone(), Value::from(texts(one, keep)))).collect()
    };
    facts.set("ip4_interfaces", by(&|own| own.ip.is_ipv4()));
    facts.set("ip6_interfaces", by(&|own| own.ip.is_ipv6()));
    facts.set("ip_interfaces", by(&|_| true));
    let sorted = |four: bool| {
        let mut ips: Vec<IpAddr> =
            all.iter().flat_map(|one| one.addresses.iter().map(|own| own.ip)).collect();
        ips.retain(|ip| ip.is_ipv4() == four);
        ips.sort_unstable();
        ips.dedup();
        ips.iter().map(IpAddr::to_string).collect::<Vec<_>>()
    };
    facts.set("ipv4", sorted(true));
    facts.set("ipv6", sorted(false));
    let hardware = |one: &Interface| Some((one.name.clone(), Value::from(one.hardware.clone()?)));
    facts.set("hwaddr_interfaces", all.iter().filter_map(hardware).collect::<Map<_, _>>());
    gateways(facts);
    own_addresses(host, facts);
    dns(host, facts);
}

/// The default gateways; `False` where there is none, as in Salt.
fn gateways(facts: &mut Facts) {
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let four = read("route").lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let up = u32::from_str_radix(fields.get(3)?, 16).ok()? & 3 == 3;
        let gateway = u32::from_str_radix(fields.get(2)?, 16).ok()?.swap_bytes();
        (up && fields.get(1) == Some(&"00000000"))
            .then(|| std::net::Ipv4Addr::from(gateway).to_string())
    });
    let six = read("ipv6_route").lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let zero = fields.first()?.chars().all(|c| c == '0') && fields.get(1) == Some(&"00");
        let up = u32::from_str_radix(fields.get(8)?, 16).ok()? & 3 == 3;
        let gateway = u128::from_str_radix(fields.get(4)?, 16).ok()?;
        (zero && up).then(|| std::net::Ipv6Addr::from(gateway).to_string())
    });
    facts.set("ip_gw", four.is_some() || six.is_some());
    facts.set("ip4_gw", four.map_or(Value::from(false), Value::from));
    facts.set("ip6_gw", six.map_or(Value::from(false), Value::from));
}

/// The addresses of the host's own name, as far as `/etc/hosts` knows them.
fn own_addresses(host: &Host, facts: &mut Facts) {
    let name = facts.get("fqdn").and_then(Value::as_str).unwrap_or_default().to_owned();
    let hosts = host.read_text("/etc/hosts").unwrap_or_default();
    let mut ips: Vec<IpAddr> = Vec::new();
    for line in hosts.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        if let Some(ip) = words.next().and_then(|ip| ip.parse().ok())
            && words.any(|word| word == name)
            && !ips.contains(&ip)
        {
            ips.push(ip);
        }
    }
    let of = |four: bool| -> Vec<String> {
        ips.iter().filter(|ip| ip.is_ipv4() == four).map(IpAddr::to_string).collect()
    };
    facts.set("fqdn_ip4", of(true));
    facts.set("fqdn_ip6", of(false));
    facts.set("fqdns", json!([]));
}

fn dns(host: &Host, facts: &mut Facts) {
    let text = host.read_text("/etc/resolv.conf").unwrap_or_default();
    let words = |key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == key).then(|| words.map(str::to_owned).collect::<Vec<_>>())
        });
        lines.flatten().take_while(|word| !word.starts_with(['#', ';'])).collect()
    };
    let nameservers = words("nameserver");
    let of = |four: bool| -> Vec<&String> {
        let is = |text: &&String| text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() == four);
        nameservers.iter().filter(is).collect()
    };
    let domain = words("domain").into_iter().next().unwrap_or_default();
    facts.set(
        "dns",
        json!({
            "nameservers": nameservers,
            "ip4_nameservers": of(true),
            "ip6_nameservers": of(false),
            "sortlist": words("sortlist"),
            "domain": domain,
            "search": words("search"),
            "options": words("options"),
        }),
    );
}
