//! The zone: what `/etc/localtime` leads to, and its name where a machine keeps that.

use std::fs;

use super::{is_family, put_line, status, timedatectl, unreadable};
use crate::function::Context;
use crate::function::args::strerror;
use crate::function::fault::{Fault, act};
use crate::host::files::{Access, replace_keeping, replace_link};

const LOCALTIME: &str = "/etc/localtime";
const TIMEZONE: &str = "/etc/timezone";
const SYSCONFIG: &str = "/etc/sysconfig/clock";

/// The machine's zone by its name.
pub(super) fn current(ctx: &Context<'_>) -> Result<String, Fault> {
    if let Some(program) = timedatectl(ctx) {
        let told = status(ctx, &program)?;
        let zone = told.lines().find_map(named).map(str::to_owned);
        return zone.ok_or_else(|| unreadable(&told));
    }
    match ctx.fact("os_family") {
        "RedHat" | "Suse" => configured(ctx),
        "Debian" | "Gentoo" => match ctx.host.read(TIMEZONE) {
            Ok(data) => Ok(String::from_utf8_lossy(&data).trim().to_owned()),
            Err(error) => {
                let words = strerror(&error);
                Err(Fault::Told(format!("Problem reading timezone file {TIMEZONE}: {words}")))
            }
        },
        _ => Err(Fault::Told("Unable to get timezone".to_owned())),
    }
}

/// The zone in a line like `Time zone: Europe/Berlin (CET, +0100)`.
fn named(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("Time")?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix("zone:")?;
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    rest.split_whitespace().next()
}

fn configured(ctx: &Context<'_>) -> Result<String, Fault> {
    let data = ctx.host.read(SYSCONFIG).map_err(|error| Fault::of(&error, SYSCONFIG))?;
    let text = String::from_utf8_lossy(&data);
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let line = lines.find(|line| line.contains("ZONE") && line.contains('='));
    let zone = line.and_then(|line| line.rsplit('=').next());
    let zone = zone.map(|zone| zone.trim_matches(['\'', '"']));
    match zone {
        Some("") => Ok("UTC".to_owned()),
        Some(zone) => Ok(zone.to_owned()),
        None => Err(Fault::Told(format!("Unable to get timezone from {SYSCONFIG}"))),
    }
}

/// Whether the machine is in a zone: by name, or by what is in its file where it has no name.
pub(super) fn is(ctx: &Context<'_>, name: &str) -> Result<bool, Fault> {
    match current(ctx) {
        Ok(own) => return Ok(own == name),
        Err(Fault::Told(_)) => {}
        Err(raised) => return Err(raised),
    }
    let own = fs::metadata(ctx.host.followed(LOCALTIME)).map_err(|error| {
        let words = strerror(&error);
        Fault::Told(format!("Failed to read {LOCALTIME} to determine current timezone: {words}"))
    })?;
    let path = file(name);
    let unknown = || Fault::Told(format!("Can't find a local timezone \"{name}\""));
    let other = fs::metadata(ctx.host.followed(&path)).map_err(|_| unknown())?;
    if !own.is_file() || !other.is_file() || own.len() != other.len() {
        return Ok(false);
    }
    let (own, other) = (ctx.host.read(LOCALTIME), ctx.host.read(&path));
    let own = own.map_err(|error| Fault::of(&error, LOCALTIME))?;
    Ok(own == other.map_err(|_| unknown())?)
}

fn file(name: &str) -> String {
    format!("/usr/share/zoneinfo/{name}")
}

/// Puts the machine into a zone. As in Salt, one that there is not changes nothing and is no fault.
pub(super) fn set(ctx: &Context<'_>, name: &str) -> Result<(), Fault> {
    if let Some(program) = timedatectl(ctx) {
        let argv = [program.as_str(), "set-timezone"].into_iter().chain(name.split_whitespace());
        // What it refuses is tried without it.
        act(ctx, &argv.collect::<Vec<_>>())?;
    }
    let path = file(name);
    if ctx.host.stat(&path).is_none() {
        return Ok(());
    }
    let dangling = ctx.host.lstat(LOCALTIME).is_some() && ctx.host.stat(LOCALTIME).is_none();
    if dangling {
        return Err(Fault::Raised(format!("[Errno 17] File exists: '{path}' -> '{LOCALTIME}'")));
    }
    link(ctx, &path)?;
    keep_name(ctx, name)?;
    if !is_family(ctx, &["Debian", "Gentoo"]) {
        return Ok(());
    }
    let place = ctx.host.followed(TIMEZONE);
    let old = fs::metadata(&place).map(|meta| Access::of(&meta)).unwrap_or_default();
    let line = format!("{}\n", name.trim());
    replace_keeping(ctx.host, &place, line.as_bytes(), Access::default(), old)
        .map_err(|error| Fault::of(&error, TIMEZONE))
}

/// Lets `/etc/localtime` lead to a zone's file; there is no moment without it.
pub(super) fn link(ctx: &Context<'_>, target: &str) -> Result<(), Fault> {
    replace_link(ctx.host, &ctx.host.path(LOCALTIME), target)
        .map_err(|error| Fault::of(&error, LOCALTIME))
}

/// Names a zone where Red Hat and SUSE kept it before systemd.
pub(super) fn keep_name(ctx: &Context<'_>, name: &str) -> Result<(), Fault> {
    if is_family(ctx, &["RedHat"]) {
        put_line(ctx, SYSCONFIG, "ZONE=", &format!("ZONE=\"{name}\""))
    } else if is_family(ctx, &["Suse"]) {
        put_line(ctx, SYSCONFIG, "TIMEZONE=", &format!("TIMEZONE=\"{name}\""))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn timedatectl_says_the_zone_in_old_words_and_new() {
        assert_eq!(named("       Time zone: Europe/Berlin (CET, +0100)"), Some("Europe/Berlin"));
        assert_eq!(named("Timezone: UTC"), Some("UTC"));
        assert_eq!(named("Time zone:UTC"), None);
        assert_eq!(named("Local time: Mon"), None);
    }
}
