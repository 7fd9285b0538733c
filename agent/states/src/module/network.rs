//! network: interfaces, addresses, networks and routes.

mod net;
mod routes;

use std::net::IpAddr;

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};

use super::merge::is_list;
use super::pillar::texts;
use super::{Call, Function, reads};
use crate::facts::interfaces::{Address, Interface, interfaces};
use crate::render::python::{from_json, list};
use crate::target::glob;
pub(crate) use net::is_private;
use net::{Net, reverse};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("network.interfaces", "", |_| {
        let shown = interfaces().iter().map(|one| (one.name.clone(), shown(one))).collect();
        Ok(from_json(&Json::Object(shown)))
    }),
    reads("network.interface", "iface", |call| {
        of(call, |one| shown(one)["inet"].clone(), json!(""))
    }),
    reads("network.interface_ip", "iface", |call| {
        of(call, |one| shown(one)["inet"][0]["address"].clone(), json!(""))
    }),
    reads("network.hw_addr", "iface", |call| of(call, |one| json!(one.hardware), json!(""))),
    reads("network.hwaddr", "iface", |call| of(call, |one| json!(one.hardware), json!(""))),
    reads("network.ip_addrs", FOUR, |call| addresses(call, true)),
    reads("network.ipaddrs", FOUR, |call| addresses(call, true)),
    reads("network.ip_addrs6", SIX, |call| addresses(call, false)),
    reads("network.ipaddrs6", SIX, |call| addresses(call, false)),
    reads("network.ip_networks", NETWORKS, |call| networks(call, true)),
    reads("network.ip_networks6", NETWORKS, |call| networks(call, false)),
    reads("network.subnets", "interfaces=", |call| subnets(call, true)),
    reads("network.subnets6", "", |call| subnets(call, false)),
    reads("network.in_subnet", "cidr", |call| {
        let own: Vec<IpAddr> =
            addresses_of(None).iter().map(|own| own.ip).filter(|ip| !ip.is_loopback()).collect();
        Ok(Value::from(contains(&call.text("cidr"), &own)))
    }),
    reads("network.ip_in_subnet", "ip_addr cidr", |call| {
        let ips = texts(&call.must("ip_addr"));
        let ips: Result<Vec<IpAddr>, Error> = ips.iter().map(|ip| address(call, ip)).collect();
        Ok(Value::from(contains(&call.text("cidr"), &ips?)))
    }),
    reads("network.convert_cidr", "cidr", |call| {
        let net = parsed(call, &call.text("cidr"))?;
        Ok(from_json(&json!({
            "network": net.first, "netmask": net.mask(), "broadcast": net.last(),
        })))
    }),
    reads("network.calc_net", "ip_addr netmask=", |call| {
        let ip = call.text("ip_addr");
        let whole =
            call.text_of("netmask").map_or_else(|| ip.clone(), |mask| format!("{ip}/{mask}"));
        Ok(Value::from(parsed(call, &whole)?.to_string()))
    }),
    reads("network.is_private", "ip_addr", |call| {
        Ok(Value::from(is_private(address(call, &call.text("ip_addr"))?)))
    }),
    reads("network.is_loopback", "ip_addr", |call| {
        Ok(Value::from(address(call, &call.text("ip_addr"))?.is_loopback()))
    }),
    reads("network.reverse_ip", "ip_addr", |call| {
        Ok(Value::from(reverse(address(call, &call.text("ip_addr"))?)))
    }),
    reads("network.iphexval", "ip", |call| {
        let parts = call.text("ip");
        let parts: Option<Vec<String>> = parts
            .split('.')
            .map(|part| part.parse::<u8>().ok().map(|n| format!("{n:02X}")))
            .collect();
        parts
            .map(|parts| Value::from(parts.concat()))
            .ok_or_else(|| call.fail("not an IPv4 address"))
    }),
    reads("network.ifacestartswith", "cidr", |call| {
        let start = call.text("cidr");
        let has = |own: &Address| {
            own.ip.is_ipv4() && !own.secondary && own.ip.to_string().starts_with(&start)
        };
        let names = interfaces().into_iter().filter(|one| one.addresses.iter().any(has));
        Ok(list(names.map(|one| Value::from(one.name)).collect()))
    }),
    reads("network.get_hostname", "", |call| fact(call, "nodename")),
    reads("network.get_fqdn", "", |call| fact(call, "fqdn")),
    reads("network.routes", "family=", |call| routes::routes(call, false)),
    reads("network.default_route", "family=", |call| routes::routes(call, true)),
    reads("network.get_route", "ip", routes::route_to),
];

const FOUR: &str = "interface= include_loopback= cidr= type=";
const SIX: &str = "interface= include_loopback= cidr=";
const NETWORKS: &str = "interface= include_loopback= verbose=";

fn fact(call: &Call<'_>, name: &str) -> Result<Value, Error> {
    Ok(call.scope.facts.get(name).map_or_else(|| Value::from(()), from_json))
}

fn address(call: &Call<'_>, ip: &str) -> Result<IpAddr, Error> {
    ip.parse()
        .map_err(|_| call.raise(format!("'{ip}' does not appear to be an IPv4 or IPv6 address")))
}

fn parsed(call: &Call<'_>, cidr: &str) -> Result<Net, Error> {
    let wrong = || call.raise(format!("'{cidr}' does not appear to be an IPv4 or IPv6 network"));
    Net::parse(cidr, false).ok_or_else(wrong)
}

fn contains(cidr: &str, ips: &[IpAddr]) -> bool {
    Net::parse(cidr, true).is_some_and(|net| ips.iter().any(|ip| net.has(*ip)))
}

/// One interface as `network.interfaces` shows it.
fn shown(one: &Interface) -> Json {
    let mut out = Map::new();
    out.insert("up".to_owned(), one.up.into());
    if let Some(parent) = &one.parent {
        out.insert("parent".to_owned(), parent.as_str().into());
    }
    if let Some(hardware) = &one.hardware {
        out.insert("hwaddr".to_owned(), hardware.as_str().into());
    }
    for own in &one.addresses {
        let four = own.ip.is_ipv4();
        let mut entry = if four {
            let mask = Net { first: own.ip, prefix: own.prefix }.mask();
            json!({
                "address": own.ip, "netmask": mask, "broadcast": own.broadcast, "label": one.name,
            })
        } else {
            json!({"address": own.ip, "prefixlen": own.prefix.to_string(), "scope": scope(own.ip)})
        };
        let kind = if four { "inet" } else { "inet6" };
        if own.secondary {
            entry["type"] = kind.into();
        }
        let key = if own.secondary { "secondary" } else { kind };
        let all = out.entry(key).or_insert_with(|| json!([]));
        if let Json::Array(all) = all {
            all.push(entry);
        }
    }
    Json::Object(out)
}

fn scope(ip: IpAddr) -> &'static str {
    match ip {
        ip if ip.is_loopback() => "host",
        IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfe80 => "link",
        IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfec0 => "site",
        _ => "global",
    }
}

/// Something of the interface that a call names, or Salt's words that there is no such one.
fn of(call: &Call<'_>, pick: impl Fn(&Interface) -> Json, or: Json) -> Result<Value, Error> {
    let (name, all) = (call.text("iface"), interfaces());
    let Some(one) = all.iter().find(|one| one.name == name) else {
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let words = format!(
            "Interface \"{name}\" not in available interfaces: \"{}\"",
            names.join("\", \"")
        );
        return Ok(Value::from(words));
    };
    let found = pick(one);
    Ok(from_json(if found.is_null() { &or } else { &found }))
}

/// The addresses of the interfaces that some patterns name; of all if there are none.
fn addresses_of(wanted: Option<&[String]>) -> Vec<Address> {
    let named = |one: &Interface| {
        wanted.is_none_or(|patterns| patterns.iter().any(|pattern| glob(pattern, &one.name)))
    };
    interfaces().into_iter().filter(named).flat_map(|one| one.addresses).collect()
}

/// The patterns of `interface`: a list, or text with commas.
fn wanted(call: &Call<'_>, name: &str) -> Option<Vec<String>> {
    let value = call.set(name)?;
    if is_list(&value) {
        return Some(texts(&value));
    }
    Some(call.text(name).split(',').map(|part| part.trim().to_owned()).collect())
}

fn addresses(call: &Call<'_>, four: bool) -> Result<Value, Error> {
    let loopback = call.flag("include_loopback", false);
    let mut ips: Vec<IpAddr> = addresses_of(wanted(call, "interface").as_deref())
        .into_iter()
        .map(|own| own.ip)
        .filter(|ip| ip.is_ipv4() == four && (loopback || !ip.is_loopback()))
        .collect();
    ips.sort_unstable();
    ips.dedup();
    let cidr = call.text_of("cidr").filter(|cidr| !cidr.is_empty());
    let kind = if four { call.text_of("type") } else { None };
    ips.retain(|ip| match (&cidr, kind.as_deref()) {
        (Some(cidr), _) => contains(cidr, &[*ip]),
        (None, Some("public")) => !is_private(*ip),
        (None, Some("private")) => is_private(*ip),
        (None, _) => true,
    });
    Ok(list(ips.into_iter().map(|ip| Value::from(ip.to_string())).collect()))
}

fn nets(all: Vec<Address>, four: bool, loopback: bool) -> Vec<Net> {
    let mut nets: Vec<Net> = all
        .into_iter()
        .filter(|own| own.ip.is_ipv4() == four && (loopback || !own.ip.is_loopback()))
        .filter_map(|own| Net::parse(&format!("{}/{}", own.ip, own.prefix), false))
        .collect();
    nets.sort_unstable();
    nets.dedup();
    nets
}

fn networks(call: &Call<'_>, four: bool) -> Result<Value, Error> {
    let all = addresses_of(wanted(call, "interface").as_deref());
    let nets = nets(all, four, call.flag("include_loopback", false));
    if !call.flag("verbose", false) {
        return Ok(list(nets.iter().map(|net| Value::from(net.to_string())).collect()));
    }
    let entry = |net: &Net| {
        let free = net::bits(net.first) - net.prefix;
        let count = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
        let count = u64::try_from(count).map_or_else(|_| json!(count.to_string()), Json::from);
        let shown = json!({
            "address": net.first, "netmask": net.mask(), "num_addresses": count,
            "prefixlen": net.prefix,
        });
        (net.to_string(), shown)
    };
    Ok(from_json(&Json::Object(nets.iter().map(entry).collect())))
}

fn subnets(call: &Call<'_>, four: bool) -> Result<Value, Error> {
    let names = call.set("interfaces").map(|value| texts(&value));
    let named = |one: &Interface| names.as_ref().is_none_or(|names| names.contains(&one.name));
    let all = interfaces().into_iter().filter(named).flat_map(|one| one.addresses).collect();
    let nets = nets(all, four, false);
    Ok(list(nets.iter().map(|net| Value::from(net.to_string())).collect()))
}
