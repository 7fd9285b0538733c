//! systemctl: what a unit is like, and what is done to it.

use std::time::Duration;

use crate::function::Context;
use crate::host::command::{Exec, run};

/// How long systemctl may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What a unit is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) active: bool,
    pub(super) enabled: bool,
    pub(super) masked: bool,
}

/// Asks systemd for a unit; `None` if there is no such one (or no systemd).
///
/// Below a root prefix there is none: this machine's own services are not the host's.
pub(super) fn look(ctx: &Context<'_>, name: &str) -> Option<Unit> {
    if ctx.host.root().is_some() {
        return None;
    }
    let argv = ["systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", "--", name];
    let output = run(ctx.host, &exec(&argv), ctx.cancel).ok()?;
    if output.code != 0 {
        return None;
    }
    parse(&output.stdout)
}

fn parse(shown: &str) -> Option<Unit> {
    let value = |key: &str| {
        shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    };
    let load = value("LoadState");
    if load == "not-found" || load.is_empty() {
        return None;
    }
    let file = value("UnitFileState");
    Some(Unit {
        active: matches!(value("ActiveState"), "active" | "reloading" | "activating"),
        enabled: matches!(file, "enabled" | "enabled-runtime" | "static" | "alias" | "generated"),
        masked: load == "masked",
    })
}

/// Does one thing to a unit.
pub(super) fn act(ctx: &Context<'_>, verb: &str, name: &str) -> Result<(), String> {
    if ctx.host.root().is_some() {
        return Err("services cannot be managed below a root prefix".to_owned());
    }
    let output = run(ctx.host, &exec(&["systemctl", verb, "--", name]), ctx.cancel);
    let output = output.map_err(|error| error.to_string())?;
    if output.code == 0 {
        return Ok(());
    }
    Err(format!("systemctl {verb} {name}: {}", output.stderr.trim()))
}

fn exec(argv: &[&str]) -> Exec {
    Exec {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        timeout: Some(TIMEOUT),
        ..Exec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_understood() {
        let unit = parse("LoadState=loaded\nActiveState=active\nUnitFileState=disabled\n").unwrap();
        assert_eq!(unit, Unit { active: true, enabled: false, masked: false });
        assert_eq!(parse("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n"), None);
        assert!(parse("LoadState=masked\nActiveState=inactive\n").unwrap().masked);
    }
}
