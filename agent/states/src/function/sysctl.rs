//! Salt's `sysctl`: kernel parameters, now and at the next start.

use std::fs;
use std::io;

use super::{Context, Function, Plan, StateFunction};
use crate::host::Host;
use crate::host::files::{Access, make_folders, replace_keeping};
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>()];

/// What a new file begins with.
const HEADER: &str = "#\n# Kernel sysctl configuration\n#\n";

pub(super) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "sysctl";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &["value", "config"];
    const NEEDS: &'static [&'static str] = &["value"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test {
            return dry(ctx);
        }
        let (name, value) = (ctx.name(), value(ctx));
        if is_set(ctx, name, &value) { Plan::fine(set(name, &value)) } else { would(String::new()) }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let (name, value) = (ctx.name(), value(ctx));
        match persist(ctx, name, &value) {
            Ok(true) => {
                let shown = ctx.value("value").cloned().unwrap_or_default();
                Outcome::changed(
                    format!("Updated sysctl value {name} = {value}"),
                    change(name, shown),
                )
            }
            Ok(false) => Outcome::fine(set(name, &value)),
            Err(error) => Outcome::failed(format!("Failed to set {name} to {value}: {error}")),
        }
    }
}

fn set(name: &str, value: &str) -> String {
    format!("Sysctl value {name} = {value} is already set")
}

/// Whether the file and the kernel both have it.
fn is_set(ctx: &Context<'_>, name: &str, value: &str) -> bool {
    let text = ctx.host.read_text(&config(ctx)).unwrap_or_default();
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.any(|(key, own)| key.trim() == name && tabbed(own.trim()) == tabbed(value))
        && tabbed(&current(ctx, name)) == tabbed(value)
}

fn value(ctx: &Context<'_>) -> String {
    ctx.chunk.args.get("value").map(super::args::text).unwrap_or_default()
}

/// The file of the parameters that are kept: systemd reads its folder last.
fn config(ctx: &Context<'_>) -> String {
    ctx.text("config").unwrap_or_else(|| default_config(ctx.host).to_owned())
}

/// Where parameters are kept if nobody says otherwise.
pub(crate) fn default_config(host: &Host) -> &'static str {
    let systemd = host.stat("/run/systemd/system").is_some_and(|meta| meta.is_dir());
    if systemd { "/etc/sysctl.d/99-salt.conf" } else { "/etc/sysctl.conf" }
}

fn dry(ctx: &Context<'_>) -> Plan<()> {
    let (name, value, config) = (ctx.name(), value(ctx), config(ctx));
    let text = match fs::read_to_string(ctx.host.followed(&config)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(_) => {
            return would(format!(
                "Sysctl option {name} might be changed, we failed to check config file at \
                 {config}. The file is either unreadable, or missing."
            ));
        }
    };
    let configured = text
        .lines()
        .filter(|line| !line.trim().starts_with('#'))
        .any(|line| line.trim().split_once('=').is_some_and(|(key, _)| key.trim_end() == name));
    let current = current(ctx, name);
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let comment = match (current.is_empty(), configured) {
        (false, true) if words(&value) == words(&current) => {
            return Plan::fine(set(name, &value));
        }
        (false, false) if spaced(&current) != spaced(&value) => {
            format!("Sysctl option {name} set to be changed to {value}")
        }
        (false, false) => format!(
            "Sysctl value is currently set on the running system but not in a config file. Sysctl \
             option {name} set to be changed to {value} in config file."
        ),
        (true, true) => format!(
            "Sysctl value {name} is present in configuration file but is not present in the \
             running config. The value {name} is set to be changed to {value}"
        ),
        (false, true) | (true, false) => {
            format!("Sysctl option {name} would be changed to {value}")
        }
    };
    would(comment)
}

fn would(comment: String) -> Plan<()> {
    Plan::change(comment, Changes::new(), ())
}

/// Runs of spaces, and runs of tabs, as one space.
fn spaced(text: &str) -> String {
    let mut out = String::new();
    let mut last = None;
    for c in text.chars() {
        match c {
            ' ' | '\t' if last == Some(c) => {}
            ' ' | '\t' => out.push(' '),
            other => out.push(other),
        }
        last = Some(c);
    }
    out
}

/// Any white space as one tab: how values are compared.
fn tabbed(text: &str) -> String {
    let mut out = String::new();
    let mut space = false;
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !space {
            out.push('\t');
        }
        space = c.is_whitespace();
    }
    out
}

/// `net.ipv4.ip_forward`, or with the two signs the other way round for names with dots.
fn file(name: &str) -> String {
    let swapped: String = name
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    format!("/proc/sys/{swapped}")
}

/// The value now, or what `sysctl` says where there is none.
fn current(ctx: &Context<'_>, name: &str) -> String {
    // sysctl(8) takes a name whose first separator is a slash as a path.
    let slashed = name.find(['.', '/']).is_some_and(|at| name[at..].starts_with('/'));
    let path = if slashed { format!("/proc/sys/{name}") } else { file(name) };
    match fs::read_to_string(ctx.host.followed(&path)) {
        Ok(value) => value.trim_end_matches('\n').to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("sysctl: cannot stat {path}: No such file or directory")
        }
        Err(_) => format!("sysctl: reading key \"{name}\""),
    }
}

fn assign(ctx: &Context<'_>, name: &str, value: &str) -> Result<(), String> {
    let place = ctx.host.followed(&file(name));
    if !place.exists() {
        return Err(format!("sysctl {name} does not exist"));
    }
    fs::write(place, format!("{value}\n")).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("sysctl -w failed: sysctl: permission denied on key \"{name}\"")
        }
        _ if error.raw_os_error() == Some(nix::libc::EINVAL) => {
            format!("sysctl -w failed: sysctl: setting key \"{name}\": Invalid argument")
        }
        _ => format!("sysctl -w failed: {error}"),
    })
}

/// Sets a parameter in the file and the kernel; whether that changed anything.
fn persist(ctx: &Context<'_>, name: &str, value: &str) -> Result<bool, String> {
    let config = config(ctx);
    let place = ctx.host.followed(&config);
    let text = match fs::read_to_string(&place) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEADER.to_owned(),
        Err(_) => return Err(format!("Could not read from file: {config}")),
    };
    let mut edited = false;
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let pair = line.split_once('=').map(|(key, own)| (key.trim(), own.trim()));
        match pair {
            Some((key, own)) if key == name => {
                if tabbed(own) == tabbed(value) {
                    if tabbed(&current(ctx, name)) == tabbed(value) {
                        return Ok(false);
                    }
                    return assign(ctx, name, value).map(|()| true);
                }
                out.push_str(&format!("{name} = {value}\n"));
                edited = true;
            }
            Some(_) | None => out.push_str(line),
        }
    }
    if !edited {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&format!("{name} = {value}\n"));
    }
    let old = fs::metadata(&place).map(|meta| Access::of(&meta)).unwrap_or_default();
    place
        .parent()
        .map_or(Ok(()), |folder| make_folders(folder, Access::default()))
        .and_then(|()| replace_keeping(ctx.host, &place, out.as_bytes(), Access::default(), old))
        .map_err(|_| format!("Could not write to file: {config}"))?;
    assign(ctx, name, value).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_read_as_sysctl_does() {
        assert_eq!(file("net.ipv4.ip_forward"), "/proc/sys/net/ipv4/ip_forward");
        assert_eq!(file("net/ipv4/conf/eth0.1/mtu"), "/proc/sys/net.ipv4.conf.eth0/1.mtu");
        assert_eq!(tabbed("4096  87380\t6291456"), "4096\t87380\t6291456");
        assert_eq!(spaced("a  b\t\tc \td"), "a b c  d");
    }
}
