//! Routes, from the kernel's tables, as `netstat -rn` shows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Value as Json, json};

use crate::host::command::{Cancel, Exec, run};
use crate::module::Call;
use crate::render::python::from_json;

/// How long `ip` may take.
const TIMEOUT: Duration = Duration::from_secs(30);

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

/// The way to an address, as the kernel would take it now.
pub(super) fn route_to(call: &Call<'_>) -> Result<Value, Error> {
    let ip = call.text("ip");
    let argv = ["ip", "route", "get", &ip].map(str::to_owned).to_vec();
    let exec = Exec { argv, timeout: Some(TIMEOUT), ..Exec::default() };
    let ran = run(&call.scope.host, &exec, &Cancel::in_force());
    let ran = ran.map_err(|error| call.fail(error.to_string()))?;
    let told = ran.stdout.lines().next().unwrap_or_default();
    // What Salt says is of its own code: `'NoneType' object has no attribute 'group'`.
    let nowhere =
        || call.fail(format!("network.get_route: no route to {ip}: {}", ran.stderr.trim()));
    way(told, &ip).map(|way| from_json(&way)).ok_or_else(nowhere)
}

/// What `ip route get` says of one.
fn way(line: &str, ip: &str) -> Option<Json> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).copied()
    };
    let (interface, source) = (after("dev")?, after("src")?);
    Some(json!({
        "destination": ip, "gateway": after("via"), "interface": interface, "source": source,
    }))
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

    #[test]
    fn a_way_is_read_from_what_ip_prints() {
        let way = |line: &str| way(line, "192.0.2.9").map(|way| way.to_string());
        let near = way("192.0.2.9 dev eth0 src 192.0.2.2 uid 0").unwrap();
        assert!(near.contains(r#""gateway":null,"interface":"eth0","source":"192.0.2.2""#));
        let far = way("192.0.2.9 via 192.0.2.1 dev eth0 src 192.0.2.2 uid 0").unwrap();
        assert!(far.contains(r#""gateway":"192.0.2.1""#));
        assert_eq!(way("RTNETLINK answers: Network is unreachable"), None);
    }
}
