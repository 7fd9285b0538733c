//! Salt's filters on addresses and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::Filter;
use crate::module::network::is_private;
use crate::render::jinja::args::Args;
use crate::render::jinja::ops;
use crate::render::python::{dict, fault, items, list, pairs, text};

/// Addresses that `network_hosts` lists.
const HOSTS_MAX: u128 = 65_536;

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "is_ip" => |value, args| Ok(Value::from(fits(value, None, args))),
        "is_ipv4" => |value, args| Ok(Value::from(fits(value, Some(4), args))),
        "is_ipv6" => |value, args| Ok(Value::from(fits(value, Some(6), args))),
        "ipaddr" => |value, args| Ok(filtered(value, None, args, 0)),
        "ipv4" => |value, args| Ok(filtered(value, Some(4), args, 0)),
        "ipv6" => |value, args| Ok(filtered(value, Some(6), args, 0)),
        "ip_host" => |value, args| each(value, args, |entry| Ok(Value::from(entry.interface()))),
        "network_hosts" => |value, args| each(value, args, hosts),
        "network_size" => |value, args| {
            each(value, args, |entry| {
                let bits = entry.width() - entry.bits;
                if bits >= 127 {
                    return Err(fault("the network is too large for its size to be a number here"));
                }
                Ok(ops::int(1_i128 << bits))
            })
        },
        "ipwrap" => |value, _| {
            Ok(match value.kind() {
                ValueKind::Seq | ValueKind::Iterable => {
                    list(items(value).iter().map(wrapped).collect())
                }
                _ => wrapped(value),
            })
        },
        "filter_by_networks" => filter_by_networks,
        "mac_str_to_bytes" => mac_bytes,
        _ => return None,
    })
}

/// An address with the length of its network's prefix.
#[derive(Clone, Copy)]
struct Entry {
    ip: IpAddr,
    bits: u32,
    /// Whether the prefix was written.
    network: bool,
}

impl Entry {
    fn of(text: &str) -> Option<Entry> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            let bits = if ip.is_ipv4() { 32 } else { 128 };
            return Some(Entry { ip, bits, network: false });
        }
        let (ip, prefix) = text.split_once('/')?;
        let ip: IpAddr = ip.parse().ok()?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match prefix.parse::<u32>() {
            Ok(bits) if prefix.bytes().all(|b| b.is_ascii_digit()) => bits,
            _ => mask_bits(prefix)?,
        };
        (bits <= width).then_some(Entry { ip, bits, network: true })
    }

    fn width(self) -> u32 {
        if self.ip.is_ipv4() { 32 } else { 128 }
    }

    fn number(self) -> u128 {
        match self.ip {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip),
        }
    }

    /// The first address of the network.
    fn first(self) -> u128 {
        let host = self.width() - self.bits;
        self.number().checked_shr(host).and_then(|n| n.checked_shl(host)).unwrap_or(0)
    }

    fn at(self, number: u128) -> String {
        match self.ip {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(0)).to_string(),
            IpAddr::V6(_) => Ipv6Addr::from(number).to_string(),
        }
    }

    fn interface(self) -> String {
        format!("{}/{}", self.ip, self.bits)
    }

    fn shown(self) -> String {
        if self.network { self.interface() } else { self.ip.to_string() }
    }

    fn holds(self, ip: IpAddr) -> bool {
        let other = Entry { ip, bits: self.bits, network: true };
        ip.is_ipv4() == self.ip.is_ipv4() && other.first() == self.first()
    }
}

/// The prefix of `255.255.0.0`, or of the host mask `0.0.255.255`.
fn mask_bits(mask: &str) -> Option<u32> {
    let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
    if mask.leading_ones() + mask.trailing_zeros() == 32 || mask == 0 {
        return Some(mask.leading_ones());
    }
    let host = mask.leading_zeros() + mask.trailing_ones() == 32;
    host.then(|| mask.leading_zeros())
}

fn within(entry: Entry, networks: &[&str]) -> bool {
    networks.iter().filter_map(|network| Entry::of(network)).any(|net| net.holds(entry.ip))
}

/// Whether an address is of a kind that an option names, as Python's `ipaddress` says.
fn is_kind(entry: Entry, option: &str) -> bool {
    let within = |networks: &[&str]| within(entry, networks);
    match option {
        "global" | "public" => !is_private(entry.ip),
        "private" => is_private(entry.ip),
        "link-local" | "linklocal" | "ll" | "link_local" => {
            within(&["169.254.0.0/16", "fe80::/10"])
        }
        "loopback" | "lo" => within(&["127.0.0.0/8", "::1/128"]),
        "multicast" => within(&["224.0.0.0/4", "ff00::/8"]),
        "reserved" => within(&[
            "240.0.0.0/4",
            "::/8",
            "100::/8",
            "200::/7",
            "400::/6",
            "800::/5",
            "1000::/4",
            "4000::/3",
            "6000::/3",
            "8000::/3",
            "a000::/3",
            "c000::/3",
            "e000::/4",
            "f000::/5",
            "f800::/6",
            "fe00::/9",
        ]),
        "site-local" | "sl" | "site_local" => within(&["fec0::/10"]),
        "unspecified" => within(&["0.0.0.0/32", "::/128"]),
        _ => true,
    }
}

fn found(value: &Value, version: Option<u32>, options: Option<&Value>) -> Option<Entry> {
    let text = match value.kind() {
        ValueKind::String => text(value),
        // A number is an address, too.
        ValueKind::Number => Ipv4Addr::from(u32::try_from(value.as_i64()?).ok()?).to_string(),
        _ => return None,
    };
    let entry = Entry::of(&text)?;
    let own = if entry.ip.is_ipv4() { 4 } else { 6 };
    if version.is_some_and(|version| version != own) {
        return None;
    }
    let options = options.filter(|options| options.is_true()).map(crate::render::python::text);
    let fits = options
        .is_none_or(|options| options.split(',').all(|option| is_kind(entry, option.trim())));
    fits.then_some(entry)
}

fn fits(value: &Value, version: Option<u32>, args: &Args) -> bool {
    found(value, version, args.get(0, "options").as_ref()).is_some()
}

/// An address if it is one of the kind, or those of a list.
fn filtered(value: &Value, version: Option<u32>, args: &Args, at: usize) -> Value {
    let options = args.get(at, "options");
    let one = |value: &Value, version| found(value, version, options.as_ref());
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let versions = version.map_or(vec![Some(4), Some(6)], |version| vec![Some(version)]);
            let all = versions.into_iter().flat_map(|version| {
                items(value)
                    .into_iter()
                    .filter_map(move |item| one(&item, version).map(Entry::shown))
                    .collect::<Vec<_>>()
            });
            list(all.map(Value::from).collect())
        }
        ValueKind::String => {
            one(value, version).map_or_else(|| Value::from(()), |entry| Value::from(entry.shown()))
        }
        _ => Value::from(()),
    }
}

/// Something of an address or network, or of each of a list; `None` if there is none.
fn each(
    value: &Value,
    args: &Args,
    of: impl Fn(Entry) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let version = args.get(1, "version").filter(|version| version.is_true());
    let version = version.and_then(|version| u32::try_from(version.as_i64()?).ok());
    let kept = filtered(value, version, args, 0);
    if !kept.is_true() {
        return Ok(Value::from(()));
    }
    let one = |item: &Value| match Entry::of(&text(item)) {
        Some(entry) => of(entry),
        None => Err(fault(format!("'{}' is no address", text(item)))),
    };
    if ops::is_list(&kept) {
        return Ok(list(items(&kept).iter().map(one).collect::<Result<_, _>>()?));
    }
    one(&kept)
}

fn hosts(entry: Entry) -> Result<Value, Error> {
    let host = entry.width() - entry.bits;
    let size = if host >= 127 { u128::MAX } else { 1_u128 << host };
    if size > HOSTS_MAX {
        return Err(fault("network_hosts lists no network of more than 65536 addresses"));
    }
    let first = entry.first();
    let range = match (entry.ip.is_ipv4(), size) {
        (_, 1 | 2) => first..first + size,
        (true, _) => first + 1..first + size - 1,
        (false, _) => first + 1..first + size,
    };
    Ok(list(range.map(|number| Value::from(entry.at(number))).collect()))
}

fn wrapped(value: &Value) -> Value {
    match found(value, Some(6), None) {
        Some(entry) if !entry.network => Value::from(format!("[{}]", entry.ip)),
        _ => value.clone(),
    }
}

fn filter_by_networks(value: &Value, args: &Args) -> Result<Value, Error> {
    let networks = args.get(0, "networks").unwrap_or_default();
    if networks.is_none() || networks.is_undefined() {
        return Ok(value.clone());
    }
    let entry = |network: &Value| {
        let network = text(network);
        Entry::of(&network).ok_or_else(|| {
            fault(format!("'{network}' does not appear to be an IPv4 or IPv6 network"))
        })
    };
    let networks: Vec<Entry> =
        ops::iterate(&networks)?.iter().map(entry).collect::<Result<_, _>>()?;
    let inside = |ips: &Value| {
        let mut out = Vec::new();
        for ip in ops::iterate(ips)? {
            let address = entry(&ip)?.ip;
            out.extend(networks.iter().filter(|net| net.holds(address)).map(|_| ip.clone()));
        }
        Ok::<_, Error>(list(out))
    };
    match value.kind() {
        ValueKind::Map => {
            let all = pairs(value).into_iter().map(|(key, ips)| Ok((key, inside(&ips)?)));
            Ok(dict(all.collect::<Result<_, Error>>()?))
        }
        ValueKind::Seq | ValueKind::Iterable => inside(value),
        _ => Err(fault(format!("Do not know how to filter a <class '{}'>", ops::type_name(value)))),
    }
}

fn mac_bytes(value: &Value, _: &Args) -> Result<Value, Error> {
    let invalid = || fault("Invalid MAC address");
    let mac = text(value);
    let digits = match mac.chars().count() {
        12 => mac,
        17 => mac.replace(mac.chars().nth(2).unwrap_or(':'), ""),
        _ => return Err(invalid()),
    };
    let byte =
        |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..6).map(|at| byte(at * 2)).collect();
    bytes.map(Value::from_bytes).ok_or_else(invalid)
}
