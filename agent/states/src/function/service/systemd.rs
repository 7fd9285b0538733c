//! systemctl: what a unit is like, and what is done to it.

use std::time::Duration;

use crate::function::Context;
use crate::host::command::{Exec, Output, run};
use crate::host::files::which;

/// How long systemctl may take.
const TIMEOUT: Duration = Duration::from_secs(300);
/// What units are of, if their names say so.
const KINDS: [&str; 10] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
];
const OFFLINE: &str = "Running in OFFLINE mode. Nothing to do";

/// What systemd is on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Running,
    /// It is installed, but nothing runs: an image that is being built.
    Offline,
}

/// What a unit is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unit {
    pub(super) active: bool,
    pub(super) enabled: bool,
    /// Its file changed since systemd read it.
    pub(super) stale: bool,
}

/// The systemd of a host, or why there is none.
///
/// Below a root prefix there is none: this machine's own services are not the host's.
pub(super) fn manager(ctx: &Context<'_>) -> Result<Manager, String> {
    if ctx.host.root().is_some() {
        return Err("services cannot be managed below a root prefix".to_owned());
    }
    if ctx.host.lstat("/run/systemd/system").is_some() {
        return Ok(Manager::Running);
    }
    match which(ctx.host, "systemctl") {
        Some(_) => Ok(Manager::Offline),
        None => Err("services cannot be managed: this machine has no systemd".to_owned()),
    }
}

/// Salt's words for a host where nothing runs.
pub(super) fn offline() -> &'static str {
    OFFLINE
}

/// A unit's whole name.
pub(super) fn unit_name(name: &str) -> String {
    if KINDS.iter().any(|kind| name.ends_with(kind)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Asks systemd for a unit; `None` if there is no such one.
pub(super) fn look(ctx: &Context<'_>, name: &str) -> Result<Option<Unit>, String> {
    let unit = unit_name(name);
    let show = "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload";
    let output = systemctl(ctx, &["show", show, "--", &unit])?;
    if output.code != 0 {
        return Err(output.stderr.trim().to_owned());
    }
    let Some((mut unit_found, file)) = parse(&output.stdout) else { return Ok(None) };
    unit_found.enabled = match file.as_str() {
        "enabled" | "enabled-runtime" | "static" | "indirect" => true,
        "disabled" | "masked" | "masked-runtime" | "linked" | "linked-runtime" | "bad" => false,
        // An init script, an alias, or an instance of a template: systemctl knows best.
        _ => systemctl(ctx, &["is-enabled", "--", &unit])?.code == 0,
    };
    Ok(Some(unit_found))
}

fn parse(shown: &str) -> Option<(Unit, String)> {
    let value = |key: &str| {
        shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    };
    let load = value("LoadState");
    if load == "not-found" || load.is_empty() {
        return None;
    }
    let unit = Unit {
        active: matches!(value("ActiveState"), "active" | "reloading" | "refreshing"),
        enabled: false,
        stale: value("NeedDaemonReload") == "yes",
    };
    Some((unit, value("UnitFileState").to_owned()))
}

/// Lets systemd read its files again.
pub(super) fn reread(ctx: &Context<'_>) -> Result<(), String> {
    done(systemctl(ctx, &["daemon-reload"])?)
}

/// Does one thing to a unit; `--no-block` does not wait for it.
pub(super) fn act(ctx: &Context<'_>, verb: &str, name: &str) -> Result<(), String> {
    let unit = unit_name(name);
    let waits = matches!(verb, "start" | "stop" | "restart" | "reload");
    let mut argv = Vec::new();
    if waits && ctx.flag("no_block", false) {
        argv.push("--no-block");
    }
    argv.extend(verb.split(' '));
    argv.extend(["--", &unit]);
    done(systemctl(ctx, &argv)?)
}

fn done(output: Output) -> Result<(), String> {
    if output.code == 0 { Ok(()) } else { Err(output.stderr.trim().to_owned()) }
}

fn systemctl(ctx: &Context<'_>, argv: &[&str]) -> Result<Output, String> {
    let reads = matches!(argv.first(), Some(&("show" | "is-enabled")));
    let argv = std::iter::once(&"systemctl").chain(argv);
    let exec = Exec {
        argv: argv.map(|word| (*word).to_owned()).collect(),
        timeout: Some(TIMEOUT),
        reads,
        ..Exec::default()
    };
    run(ctx.host, &exec, ctx.cancel).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_understood() {
        let shown = "LoadState=loaded\nActiveState=active\nUnitFileState=disabled\n\
                     NeedDaemonReload=yes\n";
        let unit = Unit { active: true, enabled: false, stale: true };
        assert_eq!(parse(shown), Some((unit, "disabled".to_owned())));
        assert_eq!(parse("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n"), None);
        let starting = parse("LoadState=loaded\nActiveState=activating\n").unwrap().0;
        assert!(!starting.active);
    }

    #[test]
    fn a_unit_without_a_kind_is_a_service() {
        assert_eq!(unit_name("sshd"), "sshd.service");
        assert_eq!(unit_name("a@b"), "a@b.service");
        assert_eq!(unit_name("apt-daily.timer"), "apt-daily.timer");
    }
}
