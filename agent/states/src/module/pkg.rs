//! pkg: versions, and what is installed.

use std::cmp::Ordering;

use minijinja::Error;
use minijinja::value::Value;

use super::service::command;
use super::{Call, Function, acts, reads};
use crate::render::python::{dict, text};
use crate::version;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("pkg.version_cmp", "ver1 ver2 ignore_epoch= **kwargs", |call| {
        let order = compare(call, &call.text("ver1"), &call.text("ver2"));
        Ok(Value::from(order as i8))
    }),
    reads("lowpkg.version_cmp", "ver1 ver2 ignore_epoch=", |call| {
        let order = compare(call, &call.text("ver1"), &call.text("ver2"));
        Ok(Value::from(order as i8))
    }),
    reads("pkg.version", "*names **kwargs", versions),
    reads("pkg.list_pkgs", "versions_as_list= **kwargs", |call| {
        let all = installed(call)?.into_iter();
        Ok(dict(all.map(|(name, version)| (Value::from(name), Value::from(version))).collect()))
    }),
    reads("pkg.is_installed", "name **kwargs", |call| {
        let name = call.text("name");
        Ok(Value::from(installed(call)?.iter().any(|(own, _)| *own == name)))
    }),
    acts("pkg.refresh_db", "cache_valid_time= failhard= **kwargs", refresh),
];

fn is_debian(call: &Call<'_>) -> bool {
    call.scope.facts.get("os_family").is_some_and(|family| family == "Debian")
}

/// By the rules of the host's own package manager.
fn compare(call: &Call<'_>, a: &str, b: &str) -> Ordering {
    let bare = |version: &str| match version.split_once(':') {
        Some((_, rest)) if call.flag("ignore_epoch", false) => rest.to_owned(),
        Some(_) | None => version.to_owned(),
    };
    let (a, b) = (bare(a), bare(b));
    if is_debian(call) { version::debian(&a, &b) } else { version::rpm(&a, &b) }
}

/// Name and version of all installed packages, in order.
fn installed(call: &Call<'_>) -> Result<Vec<(String, String)>, Error> {
    if !is_debian(call) {
        let format = "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\n";
        let ran = command(call, &["rpm", "-qa", "--queryformat", format])?;
        let pair = |line: &str| line.split_once(' ').map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut all: Vec<_> = ran.stdout.lines().filter_map(pair).collect();
        all.sort();
        return Ok(all);
    }
    let status = call.scope.host.read_text("/var/lib/dpkg/status").unwrap_or_default();
    let entry = |paragraph: &str| {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let there = field("Status").is_some_and(|status| status.ends_with(" ok installed"));
        let pair = (field("Package")?.to_owned(), field("Version")?.to_owned());
        there.then_some(pair)
    };
    let mut all: Vec<_> = status.split("\n\n").filter_map(entry).collect();
    all.sort();
    Ok(all)
}

/// The version of one package, or those of several by name; empty for what is not installed.
fn versions(call: &Call<'_>) -> Result<Value, Error> {
    let names: Vec<String> = call.rest().iter().map(text).collect();
    let all = installed(call)?;
    let version = |name: &String| {
        let found = all.iter().filter(|(own, _)| own == name).map(|(_, version)| version.as_str());
        Value::from(found.collect::<Vec<_>>().join(","))
    };
    Ok(match names.as_slice() {
        [] => Value::from(""),
        [one] => version(one),
        many => dict(many.iter().map(|name| (Value::from(name.as_str()), version(name))).collect()),
    })
}

/// Reads the package lists anew.
fn refresh(call: &Call<'_>) -> Result<Value, Error> {
    let argv: &[&str] =
        if is_debian(call) { &["apt-get", "-q", "update"] } else { &["dnf", "-q", "makecache"] };
    let ran = command(call, argv)?;
    if ran.code != 0 {
        return Err(call.fail(format!("Error getting repos: {}", ran.stderr.trim())));
    }
    Ok(if is_debian(call) { super::test::empty() } else { Value::from(true) })
}
