//! Filters on texts: regular expressions, paths, quoting, addresses.

use std::net::{IpAddr, Ipv4Addr};

use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error};

use super::option;
use crate::regex::{expand, python_regex};
use crate::render::python::{fault, items, list, text};

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter("regex_replace", regex_replace);
    env.add_filter("regex_search", |value: &str, pattern: &str, rest: Rest<Value>, kw: Kwargs| {
        groups(value, pattern, false, &rest, &kw)
    });
    env.add_filter("regex_match", |value: &str, pattern: &str, rest: Rest<Value>, kw: Kwargs| {
        groups(value, pattern, true, &rest, &kw)
    });
    env.add_filter("regex_escape", |value: &str| regex::escape(value));
    env.add_filter("path_join", |value: &Value, rest: Rest<Value>| {
        let parts: Vec<_> = std::iter::once(text(value)).chain(rest.iter().map(text)).collect();
        path_join(&parts)
    });
    env.add_filter("quote", |value: &str| shell_quote(value));
    env.add_filter("contains_whitespace", |value: &str| value.contains(char::is_whitespace));
    env.add_filter("substring_in_list", |value: &str, of: &Value| {
        items(of).iter().any(|item| item.as_str().is_some_and(|item| item.contains(value)))
    });
    env.add_filter("to_num", |value: &Value| {
        let number = text(value);
        let number = number.trim();
        number
            .parse::<i64>()
            .map(Value::from)
            .or_else(|_| number.parse::<f64>().map(Value::from))
            .unwrap_or_else(|_| value.clone())
    });
    install_addresses(env);
}

fn regex_replace(
    value: &str,
    pattern: &str,
    by: &str,
    rest: Rest<Value>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let found = python_regex(
        pattern,
        flag(&rest, &kwargs, 0, "ignorecase"),
        flag(&rest, &kwargs, 1, "multiline"),
        false,
    );
    let found = found.map_err(|error| fault(error.to_string()))?;
    Ok(found.replace_all(value, |captures| expand(by, captures)).into_owned())
}

/// The groups of the first match as a tuple (the whole match if there are none), or `None`.
fn groups(
    value: &str,
    pattern: &str,
    whole: bool,
    rest: &Rest<Value>,
    kwargs: &Kwargs,
) -> Result<Value, Error> {
    let pattern = if whole { format!("^(?:{pattern})") } else { pattern.to_owned() };
    let found = python_regex(
        &pattern,
        flag(rest, kwargs, 0, "ignorecase"),
        flag(rest, kwargs, 1, "multiline"),
        false,
    );
    let found = found.map_err(|error| fault(error.to_string()))?;
    let Some(captures) = found.captures(value) else { return Ok(Value::from(())) };
    let skip = usize::from(captures.len() > 1);
    let group = |group: Option<crate::regex::Match<'_>>| {
        group.map_or_else(|| Value::from(()), |group| Value::from(group.as_str()))
    };
    let groups: Vec<_> = captures.iter().skip(skip).map(group).collect();
    Ok(minijinja::value::Tuple::from(groups).into())
}

fn flag(rest: &Rest<Value>, kwargs: &Kwargs, at: usize, name: &str) -> bool {
    option(rest, kwargs, at, name).is_some_and(|flag| flag.is_true())
}

pub(super) fn test_match(value: &Value, pattern: &str) -> Result<bool, Error> {
    let found = python_regex(&format!("^(?:{pattern})"), false, false, false);
    let found = found.map_err(|error| fault(error.to_string()))?;
    Ok(found.is_match(&text(value)))
}

/// Python's `os.path.join`.
fn path_join(parts: &[String]) -> String {
    let mut out = String::new();
    for part in parts {
        if part.starts_with('/') || out.is_empty() {
            out.clone_from(part);
        } else {
            if !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(part);
        }
    }
    out
}

/// Python's `shlex.quote`.
pub(crate) fn shell_quote(value: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !value.is_empty() && value.chars().all(safe) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\"'\"'"))
}

fn install_addresses(env: &mut Environment<'static>) {
    env.add_filter("is_ip", |value: &Value| address(value).is_some());
    env.add_filter("is_ipv4", |value: &Value| address(value).is_some_and(|ip| ip.is_ipv4()));
    env.add_filter("is_ipv6", |value: &Value| address(value).is_some_and(|ip| ip.is_ipv6()));
    env.add_filter("ipaddr", |value: &Value| only(value, |_| true));
    env.add_filter("ipv4", |value: &Value| only(value, IpAddr::is_ipv4));
    env.add_filter("ipv6", |value: &Value| only(value, IpAddr::is_ipv6));
    env.add_filter("ipwrap", |value: &Value| match address(value) {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => text(value),
    });
    env.add_filter("network_hosts", |value: &str| {
        let (network, size) = network(value)?;
        let hosts =
            if size > 2 { network + 1..network + size - 1 } else { network..network + size };
        if size > 1 << 16 {
            return Err(fault("network_hosts of more than 65536 addresses"));
        }
        Ok(list(hosts.map(|host| Value::from(v4(host))).collect()))
    });
    env.add_filter("network_size", |value: &str| network(value).map(|(_, size)| size));
}

fn v4(number: u64) -> String {
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).to_string()
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// An address if it is one of the kind, or the list of those that are.
fn only(value: &Value, kind: fn(&IpAddr) -> bool) -> Value {
    let keep = |value: &Value| address(value).is_some_and(|ip| kind(&ip));
    match value.as_str() {
        Some(_) if keep(value) => value.clone(),
        Some(_) => Value::from(false),
        None => list(items(value).into_iter().filter(keep).collect()),
    }
}

/// The first address and the size of an IPv4 network.
fn network(value: &str) -> Result<(u64, u64), Error> {
    let wrong = || fault(format!("'{value}' is not an IPv4 network"));
    let (ip, bits) = value.split_once('/').unwrap_or((value, "32"));
    let ip: Ipv4Addr = ip.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let size = 1_u64 << 32_u32.checked_sub(bits).ok_or_else(wrong)?;
    Ok((u64::from(u32::from(ip)) & !(size - 1), size))
}
