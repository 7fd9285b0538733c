//! user, group, network, pkg: functions that look at the host.

use minijinja::Error;
use minijinja::value::Value;

use super::{Body, Call};
use crate::render::python::{from_json, list, text};
use crate::version;

pub(super) fn find(name: &str) -> Option<Body> {
    Some(match name {
        "user.info" => user_info,
        "group.info" => group_info,
        "pkg.version_cmp" => |call| {
            let order = version::debian(&call.text(0, "ver1")?, &call.text(1, "ver2")?);
            Ok(Value::from(order as i8))
        },
        "network.ip_addrs" | "network.ipaddrs" => addresses,
        "network.interfaces" => |call| fact(call, "ip_interfaces"),
        "network.get_hostname" => |call| fact(call, "localhost"),
        "network.get_fqdn" => |call| fact(call, "fqdn"),
        _ => return None,
    })
}

fn fact(call: &Call<'_>, name: &str) -> Result<Value, Error> {
    Ok(call.scope.facts.get(name).map_or_else(|| Value::from(()), from_json))
}

fn user_info(call: &Call<'_>) -> Result<Value, Error> {
    let accounts = call.scope.host.accounts();
    let Some(user) = accounts.user(&call.text(0, "name")?) else {
        return Ok(from_json(&serde_json::json!({})));
    };
    let mut groups: Vec<_> =
        accounts.groups_of(&user.name).iter().map(|group| group.name.clone()).collect();
    groups.push(accounts.group_name(user.gid));
    groups.sort();
    groups.dedup();
    Ok(from_json(&serde_json::json!({
        "name": user.name, "uid": user.uid, "gid": user.gid, "home": user.home,
        "shell": user.shell, "passwd": "x", "groups": groups,
        "fullname": user.gecos.split(',').next().unwrap_or_default(),
    })))
}

fn group_info(call: &Call<'_>) -> Result<Value, Error> {
    let accounts = call.scope.host.accounts();
    Ok(match accounts.group(&call.text(0, "name")?) {
        None => from_json(&serde_json::json!({})),
        Some(group) => from_json(&serde_json::json!({
            "name": group.name, "gid": group.gid, "passwd": "x", "members": group.members,
        })),
    })
}

/// `network.ip_addrs(interface=None, include_loopback=False)`.
fn addresses(call: &Call<'_>) -> Result<Value, Error> {
    let wanted = call.arg(0, "interface").filter(Value::is_true).map(|name| text(&name));
    let loopback = call.flag(1, "include_loopback");
    let interfaces = call.scope.facts.get("ip4_interfaces").and_then(serde_json::Value::as_object);
    let mut found: Vec<String> = interfaces
        .into_iter()
        .flatten()
        .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == *name))
        .flat_map(|(_, list)| list.as_array().cloned().unwrap_or_default())
        .filter_map(|address| address.as_str().map(str::to_owned))
        .filter(|address| loopback || !address.starts_with("127."))
        .collect();
    found.sort();
    Ok(list(found.into_iter().map(Value::from).collect()))
}
