//! pkg: versions, and what is installed.

pub(super) mod act;

use std::cmp::Ordering;

use minijinja::Error;
use minijinja::value::Value;

use super::service::{command, printed};
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
    reads("pkg.normalize_name", "name", |call| Ok(Value::from(normalized(call)))),
    reads("pkg.owner", "*paths **kwargs", owner),
    reads("pkg.latest_version", "*names **kwargs", latest),
    reads("pkg.available_version", "*names **kwargs", latest),
    reads("pkg.upgrade_available", "name **kwargs", |call| {
        Ok(Value::from(newer(call, &[call.text("name")])?.as_str() != Some("")))
    }),
    acts("pkg.refresh_db", "cache_valid_time= failhard= **kwargs", refresh),
];

fn is_debian(call: &Call<'_>) -> bool {
    call.scope.facts.get("os_family").is_some_and(|family| family == "Debian")
}

/// A package's name without the machine's own architecture.
fn normalized(call: &Call<'_>) -> String {
    let (name, by) = (call.text("name"), if is_debian(call) { ':' } else { '.' });
    let own = call.scope.facts.get("osarch");
    let neutral = if is_debian(call) { ["all", "any"] } else { ["noarch", "noarch"] };
    match name.rsplit_once(by) {
        Some((bare, arch)) if neutral.contains(&arch) => bare.to_owned(),
        Some((bare, arch)) if own.is_some_and(|own| own == arch) => bare.to_owned(),
        Some(_) | None => name,
    }
}

/// The packages that paths belong to; an empty text for none.
fn owner(call: &Call<'_>) -> Result<Value, Error> {
    let debian = is_debian(call);
    let one = |path: &Value| -> Result<(Value, Value), Error> {
        let shown = text(path);
        let argv: &[&str] = match debian {
            true => &["dpkg", "-S", "--", &shown],
            false => &["rpm", "-qf", "--queryformat", "%{name}", "--", &shown],
        };
        let told = printed(call, argv)?;
        let found = match debian {
            true => told.split(':').next().unwrap_or_default().to_owned(),
            false if told.contains("not owned") => String::new(),
            false => told,
        };
        Ok((path.clone(), Value::from(found)))
    };
    match call.rest() {
        [] => Ok(Value::from("")),
        [path] => one(path).map(|(_, found)| found),
        paths => Ok(dict(paths.iter().map(one).collect::<Result<_, _>>()?)),
    }
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
        let told = printed(call, &["rpm", "-qa", "--queryformat", format])?;
        let pair = |line: &str| line.split_once(' ').map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut all: Vec<_> = told.lines().filter_map(pair).collect();
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
        found.collect::<Vec<_>>().join(",")
    };
    Ok(match names.as_slice() {
        [] => Value::from(""),
        [one] => Value::from(version(one)),
        many => named(many, many.iter().map(version).collect()),
    })
}

/// Versions by name.
fn named(names: &[String], versions: Vec<String>) -> Value {
    let pairs = names.iter().zip(versions);
    dict(pairs.map(|(name, version)| (Value::from(name.as_str()), Value::from(version))).collect())
}

/// For each package the version that can be had, empty if one as new is installed. Unlike with
/// Salt the package lists are read anew only if `refresh` is given: a template changes nothing.
fn latest(call: &Call<'_>) -> Result<Value, Error> {
    let names: Vec<String> = call.rest().iter().map(text).collect();
    newer(call, &names)
}

fn newer(call: &Call<'_>, names: &[String]) -> Result<Value, Error> {
    let asks = |name: &str| call.others().any(|(key, value)| key == name && value.is_true());
    if names.is_empty() {
        return Ok(Value::from(""));
    }
    if asks("refresh") {
        refresh(call)?;
    }
    let (all, offered) = (installed(call)?, candidates(call, names)?);
    let version = |name: &String| {
        let versions = offered.iter().filter(|(own, _)| own == name).map(|(_, version)| version);
        let best = versions.max_by(|a, b| compare(call, a, b)).cloned().unwrap_or_default();
        let as_new = |(own, version): &(String, String)| {
            own == name && compare(call, version, &best) != Ordering::Less
        };
        if !asks("show_installed") && all.iter().any(as_new) { String::new() } else { best }
    };
    // Of those that apt does not know Salt tells in a map alone.
    let known = |name: &&String| !is_debian(call) || offered.iter().any(|(own, _)| own == *name);
    let known: Vec<&String> = names.iter().filter(known).collect();
    Ok(match known.as_slice() {
        [one] => Value::from(version(one)),
        _ => named(names, names.iter().map(version).collect()),
    })
}

/// Names and versions that the package sources offer; to a folder, none of any package.
fn candidates(call: &Call<'_>, names: &[String]) -> Result<Vec<(String, String)>, Error> {
    if call.scope.host.root().is_some() {
        return Ok(names.iter().map(|name| (name.clone(), String::new())).collect());
    }
    let given: &[&str] = if is_debian(call) {
        &["env", "LC_ALL=C", "apt-cache", "-q", "policy"]
    } else {
        &["env", "LC_ALL=C", "dnf", "-q", "list", "--available"]
    };
    let argv: Vec<&str> = given.iter().copied().chain(names.iter().map(String::as_str)).collect();
    let text = command(call, &argv)?.stdout;
    Ok(if is_debian(call) { policies(&text) } else { listed(&text) })
}

/// What `apt-cache policy` says: a line of the name, then one of the candidate.
fn policies(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(package) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            name = package.split(':').next().unwrap_or(package);
        } else if let Some(version) = line.trim().strip_prefix("Candidate:") {
            let version = version.trim();
            let version = if version == "(none)" { "" } else { version };
            out.push((name.to_owned(), version.to_owned()));
        }
    }
    out
}

/// What `dnf list` says: name with architecture, version, repository.
fn listed(text: &str) -> Vec<(String, String)> {
    let entry = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [name, version, _] => Some((name.rsplit_once('.')?.0.to_owned(), version.to_owned())),
        _ => None,
    };
    text.lines().filter_map(entry).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
        found.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect()
    }

    #[test]
    fn candidates_are_read_from_what_package_managers_print() {
        let apt = "nano:\n  Installed: (none)\n  Candidate: 7.2-1\n  Version table:\n\
                   vim:amd64:\n  Candidate: 2:9.0\ngone:\n  Candidate: (none)\n";
        assert_eq!(pairs(&policies(apt)), [("nano", "7.2-1"), ("vim", "2:9.0"), ("gone", "")]);
        let dnf = "Available Packages\nvim-enhanced.x86_64   2:9.0-1.el9   appstream\n";
        assert_eq!(pairs(&listed(dnf)), [("vim-enhanced", "2:9.0-1.el9")]);
    }
}
