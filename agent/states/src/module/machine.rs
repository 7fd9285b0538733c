//! kmod, sysctl, alternatives, hosts, ssh, dnsutil: small parts of the system.

pub(super) mod act;
pub(super) mod mounts;

use std::net::IpAddr;

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};
use time::OffsetDateTime;

use super::pillar::texts;
use super::walk::walk;
use super::{Call, Function, reads};
use crate::function::grains::write;
use crate::render::python::{from_json, list, text};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("kmod.is_loaded", "mod", |call| {
        let name = call.text("mod");
        Ok(Value::from(modules().iter().any(|module| module["module"] == name.as_str())))
    }),
    reads("kmod.lsmod", "", |_| Ok(from_json(&modules().into_iter().collect::<Json>()))),
    reads("kmod.mod_list", "only_persist=", |call| {
        let mut names: Vec<String> = if call.flag("only_persist", false) {
            let path = ["/etc/modules", "/etc/modules-load.d/salt_managed.conf"];
            let lines = path.iter().filter_map(|path| call.scope.host.read_text(path));
            let lines: Vec<String> = lines.collect();
            let names = lines.iter().flat_map(|text| text.lines()).map(str::trim);
            names.filter(|n| !n.is_empty() && !n.starts_with('#')).map(str::to_owned).collect()
        } else {
            modules().iter().filter_map(|one| one["module"].as_str().map(str::to_owned)).collect()
        };
        names.sort();
        names.dedup();
        Ok(list(names.into_iter().map(Value::from).collect()))
    }),
    reads("sysctl.get", "name", |call| {
        let name = call.text("name");
        let path = format!("/proc/sys/{}", name.replace('.', "/").replace("//", "."));
        let found = std::fs::read_to_string(path).ok().filter(|_| !name.contains(".."));
        let missing = || {
            let path = name.replace('.', "/");
            format!("sysctl: cannot stat /proc/sys/{path}: No such file or directory")
        };
        Ok(Value::from(found.map_or_else(missing, |text| text.trim_end().to_owned())))
    }),
    reads("sysctl.default_config", "", |call| {
        Ok(Value::from(crate::function::sysctl::default_config(&call.scope.host)))
    }),
    reads("alternatives.show_current", "name", |call| {
        let target = current(call);
        Ok(target.map_or_else(|| Value::from(false), Value::from))
    }),
    reads("alternatives.check_installed", "name path", |call| {
        Ok(Value::from(current(call) == Some(call.text("path"))))
    }),
    reads("alternatives.check_exists", "name path", |call| {
        let path = call.text("path");
        let text = registered(call).unwrap_or_default();
        Ok(Value::from(text.lines().any(|line| line == path)))
    }),
    reads("alternatives.show_link", "name", |call| {
        let text = registered(call);
        let link = text.as_deref().and_then(|text| text.lines().nth(1));
        Ok(link.map_or_else(|| Value::from(false), Value::from))
    }),
    reads("hosts.list_hosts", "", |call| Ok(from_json(&Json::Object(hosts(call))))),
    reads("hosts.get_ip", "host", |call| {
        let name = call.text("host");
        let found = hosts(call).into_iter().find(|(_, entry)| has_alias(entry, &name));
        Ok(Value::from(found.map(|(ip, _)| ip).unwrap_or_default()))
    }),
    reads("hosts.get_alias", "ip", |call| {
        let found = hosts(call).get(&call.text("ip")).map(|entry| entry["aliases"].clone());
        Ok(from_json(&found.unwrap_or_else(|| json!([]))))
    }),
    reads("hosts.has_pair", "ip alias", |call| {
        let all = hosts(call);
        let entry = all.get(&call.text("ip"));
        let names = texts(&call.must("alias"));
        Ok(Value::from(entry.is_some_and(|own| names.iter().all(|name| has_alias(own, name)))))
    }),
    reads("ssh.host_keys", "keydir= private= certs=", host_keys),
    reads("dnsutil.A", "host nameserver=!", |call| lookup(call, true)),
    reads("dnsutil.AAAA", "host nameserver=!", |call| lookup(call, false)),
    reads("dnsutil.serial", "zone= update=", serial),
    reads("dnsutil.check_ip", "ip_addr", |call| {
        Ok(Value::from(call.text("ip_addr").parse::<IpAddr>().is_ok()))
    }),
    reads("system.get_system_date", "utc_offset=", |call| clock(call, false, "%m/%d/%Y")),
    reads("system.get_system_time", "utc_offset=", |call| clock(call, false, "%I:%M:%S %p")),
    reads("system.get_system_date_time", "utc_offset=", |call| clock(call, true, "")),
    reads("system.get_computer_name", "", |call| {
        Ok(call.scope.facts.get("nodename").map_or_else(|| Value::from(false), from_json))
    }),
];

fn modules() -> Vec<Json> {
    let table = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, size, count, users) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let users: Vec<&str> =
            users.split(',').filter(|user| !user.is_empty() && *user != "-").collect();
        Some(json!({"size": size, "module": name, "depcount": count, "deps": users}))
    };
    table.lines().filter_map(one).collect()
}

/// Where the link of an alternative leads.
fn current(call: &Call<'_>) -> Option<String> {
    let path = call.scope.host.path(&format!("/etc/alternatives/{}", call.text("name")));
    std::fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned())
}

/// The file that the tool keeps of an alternative.
fn registered(call: &Call<'_>) -> Option<String> {
    let name = call.text("name");
    let folders =
        ["/var/lib/dpkg/alternatives", "/var/lib/alternatives", "/var/lib/rpm/alternatives"];
    let plain = !name.contains('/');
    folders.iter().filter(|_| plain).find_map(|f| call.scope.host.read_text(&format!("{f}/{name}")))
}

/// The hosts file: names by address, and comments.
fn hosts(call: &Call<'_>) -> Map<String, Json> {
    let text = call.scope.host.read_text("/etc/hosts").unwrap_or_default();
    let mut out = Map::new();
    let mut comments = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            out.insert(format!("comment-{comments}"), json!([line]));
            comments += 1;
            continue;
        }
        let (names, comment) =
            line.split_once('#').map_or((line, None), |(n, c)| (n, Some(c.trim())));
        let mut words = names.split_whitespace();
        let Some(ip) = words.next() else { continue };
        let entry = out.entry(ip).or_insert_with(|| json!({"aliases": []}));
        if let Some(Json::Array(aliases)) = entry.get_mut("aliases") {
            aliases.extend(words.map(Json::from));
        }
        if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
            entry["comment"] = comment.into();
        }
    }
    out
}

fn has_alias(entry: &Json, name: &str) -> bool {
    entry["aliases"].as_array().is_some_and(|all| all.iter().any(|own| own == name))
}

/// The host's public keys by file name; a private one is never given to a template.
fn host_keys(call: &Call<'_>) -> Result<Value, Error> {
    if call.flag("private", true) && call.value("private").is_some() {
        return Err(call.fail("ssh.host_keys does not give private keys: leave 'private' out"));
    }
    let folder = call.text_or("keydir", "/etc/ssh");
    let entries =
        std::fs::read_dir(call.scope.host.followed(&folder)).into_iter().flatten().flatten();
    let mut out = Map::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(kind) =
            name.strip_prefix("ssh_host_").and_then(|rest| rest.strip_suffix("key.pub"))
        else {
            continue;
        };
        let text = call.scope.host.read_text(&format!("{folder}/{name}")).unwrap_or_default();
        out.insert(format!("{}.pub", kind.trim_end_matches('_')), text.trim_end().into());
    }
    Ok(from_json(&Json::Object(out)))
}

/// The addresses of a name, from the system's resolver.
fn lookup(call: &Call<'_>, four: bool) -> Result<Value, Error> {
    use std::net::ToSocketAddrs;
    let found = (call.text("host").as_str(), 0).to_socket_addrs();
    let found = found.map_err(|_| call.fail(format!("Unable to resolve {}", call.text("host"))))?;
    let mut ips: Vec<String> = found
        .map(|at| at.ip())
        .filter(|ip| ip.is_ipv4() == four)
        .map(|ip| ip.to_string())
        .collect();
    ips.dedup();
    Ok(list(ips.into_iter().map(Value::from).collect()))
}

/// The serial of a DNS zone, kept in a fact; `update`, which writes it, is for `module.run`.
fn serial(call: &Call<'_>) -> Result<Value, Error> {
    let zone = call.text_of("zone").filter(|zone| !zone.is_empty());
    let key = zone.map_or_else(|| "dnsserial".to_owned(), |zone| format!("dnsserial_{zone}"));
    let kept = walk(&call.scope.grains, &Value::from(key.as_str()), ":");
    let kept = kept.filter(Value::is_true).map(|kept| text(&kept));
    let today = text(&clock(call, false, "%Y%m%d01")?);
    if !call.flag("update", false) {
        return Ok(Value::from(kept.unwrap_or(today)));
    }
    let next = match kept.filter(|kept| *kept >= today) {
        Some(kept) => {
            let number: u64 = kept.parse().map_err(|_| call.raise(not_a_number(&kept)))?;
            (number + 1).to_string()
        }
        None => today,
    };
    write(call.context()?, &key, Some(&json!(next))).map_err(|problem| call.fail(problem))?;
    Ok(Value::from(next))
}

/// Python's words for a text that `int()` refuses.
fn not_a_number(text: &str) -> String {
    format!("invalid literal for int() with base 10: '{text}'")
}

/// The time of day, in UTC or at an offset like `+0200`.
fn clock(call: &Call<'_>, both: bool, format: &str) -> Result<Value, Error> {
    let offset = call.text_of("utc_offset").map(|text| {
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let digits = text.trim_start_matches(['+', '-']);
        let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
        let found = part(0..2).zip(part(2..4));
        let found = found.and_then(|(h, m)| time::UtcOffset::from_hms(sign * h, sign * m, 0).ok());
        found.ok_or_else(|| call.fail(format!("'{text}' is no offset like +0200")))
    });
    let now =
        OffsetDateTime::now_utc().to_offset(offset.transpose()?.unwrap_or(time::UtcOffset::UTC));
    let format = if both { "%Y-%m-%d %H:%M:%S" } else { format };
    let format = time::format_description::parse_strftime_owned(format)
        .map_err(|error| call.fail(error.to_string()))?;
    now.format(&format).map(Value::from).map_err(|error| call.fail(error.to_string()))
}
