//! Routes, from the kernel's tables, as `netstat -rn` shows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Value as Json, json};

use crate::module::Call;
use crate::render::python::from_json;

pub(super) fn routes(call: &Call<'_>, default: bool) -> Result<Value, Error> {
    let family = call.text_of("family");
    if let Some(family) = family.as_deref().filter(|family| *family != "inet" && *family != "inet6")
    {
        return Err(call.fail(format!("Invalid address family {family}")));
    }
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let (four, six) = (read("route"), read("ipv6_route"));
    let four = four.lines().skip(1).filter_map(four_route);
    let all = four.chain(six.lines().filter_map(six_route));
    let kept = all.filter(|route| {
        family.as_ref().is_none_or(|family| route["addr_family"] == family.as_str())
    });
    let is_default =
        |route: &Json| route["destination"] == "0.0.0.0" || route["destination"] == "::/0";
    Ok(from_json(&kept.filter(|route| !default || is_default(route)).collect::<Json>()))
}

fn four_route(line: &str) -> Option<Json> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, to, gateway, flags, _, _, _, mask, ..] = fields[..] else { return None };
    let ip = |hex: &str| Some(Ipv4Addr::from(u32::from_str_radix(hex, 16).ok()?.swap_bytes()));
    let flags = u32::from_str_radix(flags, 16).ok()?;
    Some(json!({
        "addr_family": "inet", "destination": ip(to)?, "gateway": ip(gateway)?,
        "netmask": ip(mask)?,
        "flags": letters(flags), "interface": interface,
    }))
}

fn six_route(line: &str) -> Option<Json> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [to, prefix, _, _, gateway, _, _, _, flags, interface] = fields[..] else { return None };
    let ip = |hex: &str| Some(IpAddr::V6(Ipv6Addr::from(u128::from_str_radix(hex, 16).ok()?)));
    let (flags, prefix) =
        (u32::from_str_radix(flags, 16).ok()?, u32::from_str_radix(prefix, 16).ok()?);
    Some(json!({
        "addr_family": "inet6", "destination": format!("{}/{prefix}", ip(to)?),
        "gateway": ip(gateway)?, "netmask": "", "flags": letters(flags), "interface": interface,
    }))
}

/// netstat's letters for the flags of a route.
fn letters(flags: u32) -> String {
    const NAMES: [(u32, char); 8] = [
        (0x0001, 'U'),
        (0x0002, 'G'),
        (0x0200, '!'),
        (0x0004, 'H'),
        (0x0010, 'D'),
        (0x0020, 'M'),
        (0x0040_0000, 'a'),
        (0x0020_0000, 'n'),
    ];
    let reject = flags & 0x0200 != 0;
    let kept = NAMES.iter().filter(|(bit, name)| flags & bit != 0 && !(reject && *name == 'U'));
    kept.map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_shown_as_netstat_shows_them() {
        let route = four_route("eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0").unwrap();
        assert_eq!(route["gateway"], "192.0.2.1");
        assert_eq!(route["flags"], "UG");
        let zero = "0".repeat(32);
        let line = format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo");
        let route = six_route(&line).unwrap();
        assert_eq!((&route["destination"], &route["flags"]), (&json!("::/0"), &json!("!n")));
    }
}
